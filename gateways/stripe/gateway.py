"""The gateway to Stripe: hosted card registration, off-session charges in two steps, everything else
optional too."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from gateways.contract import (
    Capabilities,
    CardStatus,
    ChargePage,
    ChargeRequest,
    ChargeResult,
    Context,
    FieldKind,
    Gateway,
    Instrument,
    Lookup,
    LookupAnswer,
    Mode,
    NextStep,
    NextStepKind,
    Problem,
    RefundLookup,
    RefundRequest,
    RefundResult,
    RefundStatus,
    RefundSupport,
    RegistrationRequest,
    RegistrationResult,
    SettingField,
    SettingValue,
    Status,
    WebhookRequest,
    WebhookResult,
    WrongMode,
)
from gateways.errors import Ambiguous, NotSent, Rejected, Unreachable
from gateways.hookspecs import hookimpl
from gateways.reading import Shown, is_ref, optional_part, optional_text, segment, text, web_address
from gateways.secret import Secret
from gateways.setting_fields import problems_in
from gateways.stripe import listing, refunds, time_slices, webhooks
from gateways.stripe.currencies import CURRENCIES, on_the_wire
from gateways.stripe.refusal import Refusal
from gateways.stripe.results import (
    already_known,
    charge_result,
    compared,
    instrument,
    merchant_fault,
    metadata,
    moment,
    refused_charge,
    registration_result,
    used_method,
)

if TYPE_CHECKING:
    from stripe import RequestOptions
    from stripe.params import CustomerCreateParams, PaymentIntentConfirmParams, PaymentIntentCreateParams

    from gateways.stripe.sdk import Calls


class StripeGateway(Gateway):
    id = "stripe"
    label = "Stripe"
    api = (1, 0)
    capabilities = Capabilities(
        currencies=CURRENCIES,
        idempotency_window_s=86_400,
        settle_delay_s=600,
        refunds=RefundSupport.PARTIAL,
        authentication=True,
        cancel=True,
        list_charges=True,
        instruments=True,
        forget=True,
        card_updates=True,
    )
    setting_fields = (
        SettingField(
            key="api_key",
            label="Secret key",
            kind=FieldKind.SECRET,
            pattern=r"(sk|rk)_(test|live)_[A-Za-z0-9_]+",
            help="A secret or restricted key of this mode: sk_test_… or rk_live_…",
        ),
        SettingField(
            key="webhook_secret",
            label="Webhook signing secret",
            kind=FieldKind.SECRET,
            required=False,
            pattern=r"whsec_\S+",
            help="Without it every webhook is answered with 503",
        ),
        SettingField(
            key="webhook_secret_before",
            label="Previous webhook signing secret",
            kind=FieldKind.SECRET,
            required=False,
            pattern=r"whsec_\S+",
            help="Only while a new one is being introduced",
        ),
    )

    def __init__(self, settings: Mapping[str, SettingValue], mode: Mode, account_id: str) -> None:
        super().__init__(settings, mode, account_id)
        other = Mode.LIVE if self.mode is Mode.TEST else Mode.TEST
        key = self.settings.get("api_key")
        if isinstance(key, Secret) and f"_{other.value}_" in key.reveal()[:9]:
            raise WrongMode(f"a {other.value} key does not belong to {self.mode.value} mode")

    def check_settings(self, ctx: Context) -> list[Problem]:
        problems = problems_in(self.setting_fields, self.settings)
        if problems:
            return problems
        try:
            stripe = self._calls(ctx)
            stripe.ask(lambda: stripe.v1.payment_intents.list({"limit": 1}))
        except Rejected as refusal:
            field = "api_key" if refusal.http_status in (401, 403) else ""
            return [Problem(field=field, message=str(refusal))]
        except Unreachable as error:
            return [Problem(field="", message=f"Stripe does not answer: {error}")]
        return []

    def start_registration(self, ctx: Context, request: RegistrationRequest) -> NextStep:
        stripe = self._calls(ctx)
        customer = request.customer_ref or self._new_customer(ctx, request)
        shown = stripe.ask(
            lambda: stripe.v1.checkout.sessions.create(
                {
                    "mode": "setup",
                    "allowed_payment_method_types": ["card"],
                    "customer": customer,
                    "success_url": request.return_url,
                    "cancel_url": request.return_url,
                    "client_reference_id": request.key,
                    "metadata": metadata(request.key),
                    "setup_intent_data": {
                        "description": request.description or "Card for recurring payments",
                        "metadata": metadata(request.key),
                    },
                    # Later charges happen without the cardholder; their banks accept them because of this.
                    "payment_method_options": {"card": {"request_three_d_secure": "any"}},
                },
                {"idempotency_key": f"{request.key}:session"},
            )
        )
        return NextStep(
            kind=NextStepKind.REDIRECT,
            ref=text(shown, "id"),
            url=web_address(shown, "url"),
            expires_at=moment(shown, "expires_at"),
        )

    def get_registration(self, ctx: Context, ref: str) -> RegistrationResult:
        stripe = self._calls(ctx)
        ref = segment(ref, "Checkout Session")
        shown = stripe.ask(
            lambda: stripe.v1.checkout.sessions.retrieve(ref, {"expand": ["setup_intent.payment_method"]})
        )
        if text(shown, "id") != ref:
            raise Ambiguous("the answer is about another session")
        return registration_result(shown, ctx.now)

    def charge(self, ctx: Context, request: ChargeRequest) -> ChargeResult:
        problem = self.capabilities.amount_problem(request.amount)
        if problem is not None:
            return merchant_fault(Status.DECLINED, problem, f"{request.amount} is not accepted")
        ref = None
        try:
            created, _ = self._create(ctx, request)
            ref = text(created, "id")
            if not is_ref(ref):
                raise Ambiguous("the answer's id has characters that no id has")
            known = already_known(created, request)
            if known is not None:
                return known
            ctx.checkpoint(request.idempotency_key, ref)
            shown, request_id = self._confirm(ctx, request, ref)
            if text(shown, "id") != ref:
                raise Ambiguous("the answer is about another PaymentIntent")
            return compared(charge_result(shown, request_id=request_id), request)
        except Refusal as refusal:
            return _after_refusal(refusal, request, ref)
        except NotSent as error:
            return ChargeResult(status=Status.NOT_SUBMITTED, ref=ref, message=str(error))
        except Ambiguous as error:
            return ChargeResult(status=Status.UNKNOWN, ref=ref, message=str(error))

    def get_charge(self, ctx: Context, ref: str) -> ChargeResult:
        try:
            return listing.charge_state(self._calls(ctx), ref)
        except (Unreachable, Rejected) as error:
            return ChargeResult(status=Status.UNKNOWN, ref=ref, message=str(error))

    def find_charge(self, ctx: Context, key: str, customer_ref: str, since: datetime) -> Lookup:
        try:
            return listing.find(self._calls(ctx), key, customer_ref, since)
        except (Unreachable, Rejected) as error:
            return Lookup(answer=LookupAnswer.CANNOT_TELL, message=str(error))

    def cancel_charge(self, ctx: Context, ref: str) -> ChargeResult:
        try:
            stripe = self._calls(ctx)
            intent_ref = segment(ref, "PaymentIntent")
            shown = stripe.ask(
                lambda: stripe.v1.payment_intents.cancel(intent_ref, {"expand": ["latest_charge"]})
            )
            return charge_result(shown)
        except Refusal as refusal:
            if refusal.http_status == 400:
                return self.get_charge(ctx, ref)
            return ChargeResult(status=Status.UNKNOWN, ref=ref, message=str(refusal))
        except (Unreachable, Rejected) as error:
            return ChargeResult(status=Status.UNKNOWN, ref=ref, message=str(error))

    def start_authentication(self, ctx: Context, ref: str, return_url: str) -> NextStep:
        stripe = self._calls(ctx)
        ref = segment(ref, "PaymentIntent")
        intent = stripe.ask(lambda: stripe.v1.payment_intents.retrieve(ref))
        status = charge_result(intent).status
        if status is Status.ACTION_REQUIRED and _bank_page(intent, return_url) is None:
            intent = self._confirm_with_customer(stripe, intent, return_url)
            status = charge_result(intent).status
        if status in (Status.SUCCEEDED, Status.PENDING):
            return NextStep(kind=NextStepKind.NONE, ref=ref)
        url = _bank_page(intent)
        if status is not Status.ACTION_REQUIRED or url is None:
            raise Rejected("this charge does not wait for the cardholder", code="no_authentication")
        return NextStep(kind=NextStepKind.REDIRECT, ref=ref, url=url)

    def refund(self, ctx: Context, request: RefundRequest) -> RefundResult:
        try:
            return refunds.refund(self._calls(ctx), request)
        except NotSent as error:
            return RefundResult(status=RefundStatus.NOT_SUBMITTED, message=str(error))

    def get_refund(self, ctx: Context, ref: str) -> RefundResult:
        try:
            return refunds.get_refund(self._calls(ctx), ref)
        except (Unreachable, Rejected) as error:
            return RefundResult(status=RefundStatus.UNKNOWN, ref=ref, message=str(error))

    def find_refund(self, ctx: Context, key: str, charge_ref: str, since: datetime) -> RefundLookup:
        try:
            return refunds.find_refund(self._calls(ctx), key, charge_ref)
        except (Unreachable, Rejected) as error:
            return RefundLookup(answer=LookupAnswer.CANNOT_TELL, message=str(error))

    def list_charges(
        self, ctx: Context, since: datetime, until: datetime, cursor: str | None = None
    ) -> ChargePage:
        """Those that bear our key: others may use the account too."""
        return listing.charges(self._calls(ctx), time_slices.slice_at(since, until, cursor))

    def get_instrument(self, ctx: Context, ref: str) -> Instrument:
        stripe = self._calls(ctx)
        ref = segment(ref, "PaymentMethod")
        try:
            shown = stripe.ask(lambda: stripe.v1.payment_methods.retrieve(ref))
        except Refusal as refusal:
            if refusal.http_status != 404:
                raise
            return Instrument(ref=ref, customer_ref=None, status=CardStatus.REVOKED)
        if text(shown, "id") != ref:
            raise Ambiguous("the answer is about another instrument")
        return instrument(shown, ctx.now)

    def forget_instrument(self, ctx: Context, ref: str) -> None:
        stripe = self._calls(ctx)
        ref = segment(ref, "PaymentMethod")
        try:
            stripe.ask(lambda: stripe.v1.payment_methods.detach(ref))
        except Refusal as refusal:
            # Detaching twice is an error there, with no code that tells it from others.
            if refusal.http_status not in (400, 404):
                raise
            if self.get_instrument(ctx, ref).status is not CardStatus.REVOKED:
                raise

    def parse_webhook(self, request: WebhookRequest) -> WebhookResult:
        found = [self.settings.get("webhook_secret"), self.settings.get("webhook_secret_before")]
        return webhooks.heard(request, [secret for secret in found if isinstance(secret, Secret)], self.mode)

    def _create(self, ctx: Context, request: ChargeRequest) -> tuple[Shown, str | None]:
        stripe = self._calls(ctx)
        params: PaymentIntentCreateParams = {
            "amount": on_the_wire(request.amount),
            "currency": request.amount.currency.lower(),
            "customer": request.customer_ref,
            "payment_method": request.instrument_ref,
            "allowed_payment_method_types": ["card"],
            "metadata": metadata(request.idempotency_key, request.metadata),
        }
        if request.description:
            params["description"] = request.description
        key = f"{request.idempotency_key}:create"
        return stripe.asked(lambda: stripe.v1.payment_intents.create(params, {"idempotency_key": key}))

    def _confirm(self, ctx: Context, request: ChargeRequest, ref: str) -> tuple[Shown, str | None]:
        stripe = self._calls(ctx)
        return stripe.asked(
            lambda: stripe.v1.payment_intents.confirm(
                ref,
                {"off_session": True},
                {"idempotency_key": f"{request.idempotency_key}:confirm"},
            )
        )

    @staticmethod
    def _confirm_with_customer(stripe: Calls, intent: Shown, return_url: str) -> Shown:
        """The bank's page is offered to a confirmation that names where to return to."""
        ref, method = text(intent, "id"), optional_text(intent, "payment_method") or used_method(intent)
        if method is None:
            raise Rejected("the charge names no card to authenticate", code="no_payment_method")
        params: PaymentIntentConfirmParams = {"payment_method": method, "return_url": return_url}
        return stripe.ask(lambda: stripe.v1.payment_intents.confirm(ref, params))

    def _new_customer(self, ctx: Context, request: RegistrationRequest) -> str:
        stripe = self._calls(ctx)
        params: CustomerCreateParams = {
            "metadata": metadata(request.key, {"account": request.account_reference})
        }
        if request.customer_name:
            params["name"] = request.customer_name
        if request.customer_email:
            params["email"] = request.customer_email
        options: RequestOptions = {"idempotency_key": f"{request.key}:customer"}
        return text(stripe.ask(lambda: stripe.v1.customers.create(params, options)), "id")

    def _calls(self, ctx: Context) -> Calls:
        key = self.settings.get("api_key")
        if not isinstance(key, Secret) or not key.reveal().isascii() or not key.reveal().isprintable():
            # A header that cannot be sent would be quoted, key and all, in the error about it.
            raise NotSent("the secret key is not set")
        # The library takes some 0.4 s to load: not to be paid at each start of the panel, but once it is used.
        sdk = importlib.import_module("gateways.stripe.sdk")
        calls: Calls = sdk.Calls(ctx, key, self.secrets())
        return calls


@hookimpl
def register_payment_gateways() -> list[type[Gateway]]:
    return [StripeGateway]


def _after_refusal(refusal: Refusal, request: ChargeRequest, ref: str | None) -> ChargeResult:
    try:
        result = compared(refused_charge(refusal), request)
    except Ambiguous as error:
        return ChargeResult(status=Status.UNKNOWN, ref=ref, message=str(error))
    return replace(result, ref=result.ref or ref)


def _bank_page(intent: Shown, return_url: str | None = None) -> str | None:
    """The page that the intent offers, if it leads back to `return_url` (any, when None)."""
    redirect = optional_part(optional_part(intent, "next_action"), "redirect_to_url")
    if not redirect or return_url not in (None, redirect.get("return_url")):
        return None
    return web_address(redirect, "url")
