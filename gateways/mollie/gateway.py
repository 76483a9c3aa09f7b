"""The gateway to Mollie: hosted first payments, recurring charges on card mandates, refunds, look-ups."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from gateways.contract import (
    Capabilities,
    CardStatus,
    ChargePage,
    ChargeRequest,
    ChargeResult,
    Context,
    CurrencyRule,
    Decline,
    DeclineKind,
    EventKind,
    FieldKind,
    Gateway,
    GatewayEvent,
    Instrument,
    Lookup,
    LookupAnswer,
    Mode,
    Money,
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
    RegistrationStatus,
    SettingField,
    SettingValue,
    Status,
    WebhookAuth,
    WebhookRequest,
    WebhookResult,
    WebhookVerdict,
    WrongMode,
)
from gateways.errors import Ambiguous, NotSent, Rejected, Unreachable
from gateways.hookspecs import hookimpl
from gateways.mollie import listing
from gateways.mollie.results import (
    charge_result,
    compared,
    instant,
    instrument,
    joined,
    merchant_fault,
    metadata,
    refund_result,
    split,
    unfinished_registration,
)
from gateways.mollie.wire import Calls, Refusal
from gateways.reading import (
    Shown,
    is_ref,
    optional_text,
    part,
    parts,
    segment,
    text,
    web_address,
)
from gateways.secret import Secret
from gateways.setting_fields import problems_in

_CURRENCIES: Final = {
    currency: CurrencyRule()
    for currency in "AED AUD CAD CHF CZK DKK EUR GBP HKD HUF ILS ISK JPY NOK NZD PLN RON SEK SGD USD ZAR".split()
}
"""In which Mollie takes cards; written as ISO 4217 has them."""

_DESCRIPTION_LENGTH: Final = 255
_REFUNDS_PAGE: Final = "250"


class MollieGateway(Gateway):
    id = "mollie"
    label = "Mollie"
    api = (1, 0)
    capabilities = Capabilities(
        currencies=_CURRENCIES,
        idempotency_window_s=3_600,
        settle_delay_s=600,
        webhook_auth=WebhookAuth.FETCH_BACK,
        refunds=RefundSupport.PARTIAL,
        cancel=True,
        list_charges=True,
        instruments=True,
        forget=True,
    )
    setting_fields = (
        SettingField(
            key="api_key",
            label="API key",
            kind=FieldKind.SECRET,
            pattern=r"(test|live)_[A-Za-z0-9_]+",
            help="The key of this mode: test_… or live_…",
        ),
        SettingField(
            key="webhook_url",
            label="Webhook address",
            kind=FieldKind.URL,
            required=False,
            help="The address shown for this account; Mollie is told it with every payment. Without it, "
            "changes are found by asking",
        ),
    )

    def __init__(self, settings: Mapping[str, SettingValue], mode: Mode, account_id: str) -> None:
        super().__init__(settings, mode, account_id)
        other = Mode.LIVE if self.mode is Mode.TEST else Mode.TEST
        key = self.settings.get("api_key")
        if isinstance(key, Secret) and key.reveal().startswith(f"{other.value}_"):
            raise WrongMode(f"a {other.value} key does not belong to {self.mode.value} mode")

    def check_settings(self, ctx: Context) -> list[Problem]:
        problems = problems_in(self.setting_fields, self.settings)
        if problems:
            return problems
        try:
            shown = self._calls(ctx).get("/v2/methods", {"sequenceType": "first"})
            methods = [text(method, "id") for method in parts(part(shown, "_embedded"), "methods")]
        except Rejected as refusal:
            field = "api_key" if refusal.http_status in (401, 403) else ""
            return [Problem(field=field, message=str(refusal))]
        except Unreachable as error:
            return [Problem(field="", message=f"Mollie does not answer: {error}")]
        if "creditcard" not in methods:
            message = "Cards are not active for recurring payments in this Mollie profile"
            return [Problem(field="", message=message)]
        return []

    def start_registration(self, ctx: Context, request: RegistrationRequest) -> NextStep:
        mollie = self._calls(ctx)
        customer = request.customer_ref or _new_customer(mollie, request)
        body = {
            "amount": _written(Money.zero("EUR")),
            "customerId": customer,
            "sequenceType": "first",
            "method": "creditcard",
            "description": (request.description or "Card for recurring payments")[:_DESCRIPTION_LENGTH],
            "redirectUrl": request.return_url,
            "metadata": metadata(request.key),
            **self._webhook(),
        }
        shown = mollie.post("/v2/payments", body, f"{request.key}-first")
        return NextStep(
            kind=NextStepKind.REDIRECT,
            ref=text(shown, "id"),
            url=web_address(part(part(shown, "_links"), "checkout"), "href"),
            expires_at=instant(shown, "expiresAt") if shown.get("expiresAt") else None,
        )

    def get_registration(self, ctx: Context, ref: str) -> RegistrationResult:
        mollie = self._calls(ctx)
        payment = mollie.get(f"/v2/payments/{segment(ref, 'payment')}")
        if text(payment, "id") != ref or payment.get("sequenceType") != "first":
            raise Rejected(f"{ref} is not a card registration", code="not_found", http_status=404)
        if text(payment, "status") != "paid":
            return unfinished_registration(payment)
        return _registered(mollie, payment, ctx.now)

    def charge(self, ctx: Context, request: ChargeRequest) -> ChargeResult:
        problem = self.capabilities.amount_problem(request.amount)
        if problem is not None:
            return merchant_fault(Status.DECLINED, problem, f"{request.amount} is not accepted")
        try:
            customer, mandate = split(request.instrument_ref, "mandate")
            body = {
                "amount": _written(request.amount),
                "customerId": customer,
                "mandateId": mandate,
                "sequenceType": "recurring",
                "description": (request.description or request.idempotency_key)[:_DESCRIPTION_LENGTH],
                "metadata": metadata(request.idempotency_key, request.metadata),
                **self._webhook(),
            }
            shown = self._calls(ctx).post("/v2/payments", body, request.idempotency_key)
            return compared(charge_result(shown), request)
        except Refusal as refusal:
            return self._after_refusal(ctx, request, refusal)
        except Rejected as refusal:
            return _instrument_gone(refusal)
        except NotSent as error:
            return ChargeResult(status=Status.NOT_SUBMITTED, message=str(error))
        except Ambiguous as error:
            return ChargeResult(status=Status.UNKNOWN, message=str(error))

    def get_charge(self, ctx: Context, ref: str) -> ChargeResult:
        try:
            result = charge_result(self._calls(ctx).get(f"/v2/payments/{segment(ref, 'payment')}"))
        except (Unreachable, Rejected) as error:
            return ChargeResult(status=Status.UNKNOWN, ref=ref, message=str(error))
        if result.ref != ref:
            return ChargeResult(status=Status.UNKNOWN, ref=ref, message="the answer is about another charge")
        return result

    def find_charge(self, ctx: Context, key: str, customer_ref: str, since: datetime) -> Lookup:
        try:
            return listing.find(self._calls(ctx), key, customer_ref, since)
        except (Unreachable, Rejected) as error:
            return Lookup(answer=LookupAnswer.CANNOT_TELL, message=str(error))

    def cancel_charge(self, ctx: Context, ref: str) -> ChargeResult:
        try:
            self._calls(ctx).delete(f"/v2/payments/{segment(ref, 'payment')}")
        except Refusal:
            pass  # most card payments cannot be cancelled: what counts is what it is now
        except (Unreachable, Rejected) as error:
            return ChargeResult(status=Status.UNKNOWN, ref=ref, message=str(error))
        return self.get_charge(ctx, ref)

    def refund(self, ctx: Context, request: RefundRequest) -> RefundResult:
        body = {
            "amount": _written(request.amount),
            "description": (request.reason or request.idempotency_key)[:_DESCRIPTION_LENGTH],
            "metadata": metadata(request.idempotency_key, request.metadata),
        }
        try:
            path = f"/v2/payments/{segment(request.charge_ref, 'payment')}/refunds"
            result = refund_result(self._calls(ctx).post(path, body, request.idempotency_key))
        except Rejected as refusal:
            return _refused_refund(refusal)
        except NotSent as error:
            return RefundResult(status=RefundStatus.NOT_SUBMITTED, message=str(error))
        except Ambiguous as error:
            return RefundResult(status=RefundStatus.UNKNOWN, message=str(error))
        if result.key == request.idempotency_key and result.amount == request.amount:
            return result
        message = f"asked for {request.amount}, the answer shows {result.amount} for {result.key}"
        return RefundResult(status=RefundStatus.UNKNOWN, ref=result.ref, message=message)

    def get_refund(self, ctx: Context, ref: str) -> RefundResult:
        try:
            payment, refund = split(ref, "refund")
            result = refund_result(self._calls(ctx).get(f"/v2/payments/{payment}/refunds/{refund}"))
        except (Unreachable, Rejected) as error:
            return RefundResult(status=RefundStatus.UNKNOWN, ref=ref, message=str(error))
        if result.ref != ref:
            return RefundResult(
                status=RefundStatus.UNKNOWN, ref=ref, message="the answer is about another refund"
            )
        return result

    def find_refund(self, ctx: Context, key: str, charge_ref: str, since: datetime) -> RefundLookup:
        try:
            path = f"/v2/payments/{segment(charge_ref, 'payment')}/refunds"
            page = self._calls(ctx).get(path, {"limit": _REFUNDS_PAGE})
            results = [refund_result(shown) for shown in parts(part(page, "_embedded"), "refunds")]
        except (Unreachable, Rejected) as error:
            return RefundLookup(answer=LookupAnswer.CANNOT_TELL, message=str(error))
        ours = [result for result in results if result.key == key]
        if len(ours) == 1:
            return RefundLookup(answer=LookupAnswer.YES, result=ours[0])
        if ours or part(page, "_links").get("next") is not None:
            message = "several refunds carry this key, or the list is only a part"
            return RefundLookup(answer=LookupAnswer.CANNOT_TELL, message=message)
        return RefundLookup(answer=LookupAnswer.NO)

    def list_charges(
        self, ctx: Context, since: datetime, until: datetime, cursor: str | None = None
    ) -> ChargePage:
        """Those that bear our key: others may use the account too. The first pages may be empty."""
        return listing.charges(self._calls(ctx), since, until, cursor)

    def get_instrument(self, ctx: Context, ref: str) -> Instrument:
        customer, mandate = split(ref, "mandate")
        try:
            shown = self._calls(ctx).get(f"/v2/customers/{customer}/mandates/{mandate}")
        except Refusal as refusal:
            if not refusal.is_gone:
                raise
            return Instrument(ref=ref, customer_ref=customer, status=CardStatus.REVOKED)
        found = instrument(shown, ctx.now)
        if found.ref != ref:
            raise Ambiguous("the answer is about another instrument")
        return found

    def forget_instrument(self, ctx: Context, ref: str) -> None:
        customer, mandate = split(ref, "mandate")
        try:
            self._calls(ctx).delete(f"/v2/customers/{customer}/mandates/{mandate}")
        except Refusal as refusal:
            if not refusal.is_gone:
                raise

    def parse_webhook(self, request: WebhookRequest) -> WebhookResult:
        """Mollie sends an id and nothing that proves it: what became of the payment is asked for."""
        try:
            told = parse_qsl(request.body.decode("ascii"), max_num_fields=10)
        except ValueError:
            return WebhookResult(verdict=WebhookVerdict.REJECTED, reason="the body is not a form")
        ids = [value for name, value in told if name == "id"]
        if len(ids) != 1 or not is_ref(ids[0]):
            return WebhookResult(verdict=WebhookVerdict.REJECTED, reason="it names no object, or several")
        if not ids[0].startswith("tr_"):
            return WebhookResult(verdict=WebhookVerdict.ACCEPTED, reason=f"nothing of ours: {ids[0][:40]}")
        return WebhookResult(verdict=WebhookVerdict.ACCEPTED, events=(_hint(ids[0], request.now),))

    def _calls(self, ctx: Context) -> Calls:
        key = self.settings.get("api_key")
        if not isinstance(key, Secret) or not key:
            raise NotSent("the API key is not set")
        return Calls(ctx, key)

    def _webhook(self) -> dict[str, str]:
        url = self.settings.get("webhook_url")
        return {"webhookUrl": url} if isinstance(url, str) and url else {}

    def _after_refusal(self, ctx: Context, request: ChargeRequest, refusal: Refusal) -> ChargeResult:
        if refusal.http_status == 429:
            return ChargeResult(status=Status.NOT_SUBMITTED, message="Mollie is busy (429)")
        if refusal.at_the_door:
            # DECLINED would be final, and an earlier sending of this key may have landed.
            return merchant_fault(Status.NOT_SUBMITTED, refusal.code or "unauthorized", str(refusal))
        if refusal.http_status != 422 and not refusal.is_gone:
            message = f"HTTP status {refusal.http_status}: {refusal}"
            return ChargeResult(status=Status.UNKNOWN, message=message)
        # A 422 has been seen beside a payment that was made all the same: the list decides.
        found = self.find_charge(ctx, request.idempotency_key, request.customer_ref, ctx.now)
        if found.result is not None:
            return compared(found.result, request)
        if found.answer is LookupAnswer.CANNOT_TELL:
            return ChargeResult(status=Status.UNKNOWN, message=f"{refusal}; then: {found.message}")
        if refusal.field == "mandateId" or (not refusal.field and refusal.is_gone):
            return _instrument_gone(refusal)
        return merchant_fault(Status.DECLINED, refusal.code or "unprocessable", str(refusal))


@hookimpl
def register_payment_gateways() -> list[type[Gateway]]:
    return [MollieGateway]


def _new_customer(mollie: Calls, request: RegistrationRequest) -> str:
    told = {"name": request.customer_name, "email": request.customer_email}
    body: dict[str, Any] = {name: value for name, value in told.items() if value}
    body["metadata"] = metadata(request.key, {"account": request.account_reference})
    return text(mollie.post("/v2/customers", body, f"{request.key}-customer"), "id")


def _registered(mollie: Calls, payment: Shown, now: datetime) -> RegistrationResult:
    ref, customer = text(payment, "id"), text(payment, "customerId")
    mandate = optional_text(payment, "mandateId")
    if mandate is None:
        return RegistrationResult(
            status=RegistrationStatus.PENDING, ref=ref, message="there is no mandate yet"
        )
    path = f"/v2/customers/{segment(customer, 'customer')}/mandates/{segment(mandate, 'mandate')}"
    card = instrument(mollie.get(path), now)
    if card.ref != joined(customer, mandate):
        raise Ambiguous("the answer is about another mandate")
    if card.status is not CardStatus.VALIDATED:
        message = f"the mandate is {card.status.value}"
        return RegistrationResult(status=RegistrationStatus.FAILED, ref=ref, message=message)
    return RegistrationResult(
        status=RegistrationStatus.VALIDATED, ref=ref, instrument=card, customer_ref=customer
    )


def _written(amount: Money) -> dict[str, str]:
    return {"currency": amount.currency, "value": amount.major_text()}


def _instrument_gone(refusal: Rejected) -> ChargeResult:
    decline = Decline(kind=DeclineKind.HARD, code=refusal.code or "mandate_gone")
    return ChargeResult(status=Status.DECLINED, decline=decline, message=str(refusal))


def _refused_refund(refusal: Rejected) -> RefundResult:
    status = RefundStatus.UNKNOWN
    if refusal.http_status in (401, 403, 429):
        status = RefundStatus.NOT_SUBMITTED
    elif refusal.http_status in (404, 410, 422):
        status = RefundStatus.REFUSED
    return RefundResult(
        status=status, code=refusal.code or f"http_{refusal.http_status}", message=str(refusal)
    )


def _hint(ref: str, at: datetime) -> GatewayEvent:
    """Said to be about a charge; a registration is a payment there too, and only its reference tells."""
    # Every change of a payment is told by the same bytes. The minute keeps a later change from passing for a
    # repetition of an earlier one.
    return GatewayEvent(kind=EventKind.CHARGE, ref=ref, event_id=f"{ref}-{int(at.timestamp()) // 60}")
