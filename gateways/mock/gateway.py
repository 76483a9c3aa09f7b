"""The gateway to the mock processor: test mode only, everything that the contract offers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from gateways.contract import (
    Capabilities,
    CardStatus,
    ChargePage,
    ChargeRequest,
    ChargeResult,
    Context,
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
    Status,
    WebhookRequest,
    WebhookResult,
    WebhookVerdict,
)
from gateways.errors import Ambiguous, NotSent, Rejected, Unreachable
from gateways.hookspecs import hookimpl
from gateways.http import Answer, strict_json
from gateways.mock import signing
from gateways.mock.cards import CURRENCIES
from gateways.mock.wire import (
    ADDRESS_FIELD,
    API_KEY_FIELD,
    body_of,
    call,
    error_in,
    instant,
    is_ref,
    optional_text,
    optional_whole,
    text,
    whole,
)
from gateways.money import Money, MoneyError
from gateways.secret import Secret
from gateways.setting_fields import problems_in

_KIND_OF_CODE: Final = {
    "insufficient_funds": DeclineKind.RETRYABLE,
    "do_not_honor": DeclineKind.RETRYABLE,
    "cancelled": DeclineKind.RETRYABLE,
    "lost_card": DeclineKind.HARD,
    "expired_card": DeclineKind.HARD,
    "instrument_forgotten": DeclineKind.HARD,
    "authentication_required": DeclineKind.AUTHENTICATION,
    "authentication_failed": DeclineKind.AUTHENTICATION,
    "merchant_not_enabled": DeclineKind.MERCHANT,
}
_KIND_OF_ADVICE: Final = {"do_not_try_again": DeclineKind.HARD}
"""The issuer's advice is more precise than the code beside it."""

_STATUSES: Final = {
    "succeeded": Status.SUCCEEDED,
    "requires_action": Status.ACTION_REQUIRED,
    "declined": Status.DECLINED,
    "cancelled": Status.DECLINED,
}
_CARD_STATUSES: Final = {
    "active": CardStatus.VALIDATED,
    "expired": CardStatus.EXPIRED,
    "forgotten": CardStatus.REVOKED,
    "revoked": CardStatus.REVOKED,
}
_EVENT_KINDS: Final = {
    "charge": EventKind.CHARGE,
    "refund": EventKind.REFUND,
    "registration": EventKind.REGISTRATION,
    "instrument": EventKind.INSTRUMENT,
}


class MockGateway(Gateway):
    id = "mock"
    label = "Mock processor"
    api = (1, 0)
    capabilities = Capabilities(
        currencies=CURRENCIES,
        idempotency_window_s=86_400,
        settle_delay_s=60,
        refunds=RefundSupport.PARTIAL,
        authentication=True,
        cancel=True,
        list_charges=True,
        instruments=True,
        forget=True,
        modes=frozenset({Mode.TEST}),
    )
    setting_fields = (
        ADDRESS_FIELD,
        API_KEY_FIELD,
        SettingField(
            key="webhook_secret",
            label="Webhook secret",
            kind=FieldKind.SECRET,
            required=False,
            help="Without it every webhook is answered with 503",
        ),
    )

    def check_settings(self, ctx: Context) -> list[Problem]:
        problems = problems_in(self.setting_fields, self.settings)
        if problems:
            return problems
        try:
            body_of(call(ctx, self.settings, "GET", "/v1/account"))
        except Rejected as refusal:
            field = "api_key" if refusal.http_status == 401 else ""
            return [Problem(field=field, message=str(refusal))]
        except Unreachable as error:
            return [Problem(field="base_url", message=f"The processor does not answer: {error}")]
        return []

    def start_registration(self, ctx: Context, request: RegistrationRequest) -> NextStep:
        body = {
            "reference": request.key,
            "customer": request.customer_ref,
            "return_url": request.return_url,
            "description": request.description,
            "customer_name": request.customer_name,
            "customer_email": request.customer_email,
            "account_reference": request.account_reference,
        }
        shown = body_of(call(ctx, self.settings, "POST", "/v1/registrations", key=request.key, body=body))
        return NextStep(
            kind=NextStepKind.REDIRECT,
            ref=text(shown, "id"),
            url=_web_address(shown),
            expires_at=instant(shown, "expires"),
        )

    def get_registration(self, ctx: Context, ref: str) -> RegistrationResult:
        shown = self._read(ctx, "registrations", ref)
        try:
            status = RegistrationStatus(text(shown, "status"))
        except ValueError as error:
            raise Ambiguous(f"unknown registration status {shown['status']!r}") from error
        instrument = shown.get("instrument")
        if (status is RegistrationStatus.VALIDATED) != isinstance(instrument, dict):
            raise Ambiguous("a validated registration comes with its instrument, and no other does")
        return RegistrationResult(
            status=status,
            ref=ref,
            instrument=_instrument(instrument) if isinstance(instrument, dict) else None,
            customer_ref=text(shown, "customer"),
            message=optional_text(shown, "message") or "",
        )

    def charge(self, ctx: Context, request: ChargeRequest) -> ChargeResult:
        problem = self.capabilities.amount_problem(request.amount)
        if problem is not None:
            return _merchant_fault(Status.DECLINED, problem, f"{request.amount} is not accepted")
        body = {
            "amount": request.amount.minor,
            "currency": request.amount.currency,
            "instrument": request.instrument_ref,
            "customer": request.customer_ref,
            "reference": request.idempotency_key,
            "description": request.description,
            "metadata": dict(request.metadata),
        }
        try:
            answer = call(ctx, self.settings, "POST", "/v1/charges", key=request.idempotency_key, body=body)
            return _charged(answer, request)
        except NotSent as error:
            return ChargeResult(status=Status.NOT_SUBMITTED, message=str(error))
        except Ambiguous as error:
            return ChargeResult(status=Status.UNKNOWN, message=str(error))

    def get_charge(self, ctx: Context, ref: str) -> ChargeResult:
        return self._charge_state(ctx, "GET", ref, "")

    def cancel_charge(self, ctx: Context, ref: str) -> ChargeResult:
        return self._charge_state(ctx, "POST", ref, "/cancel")

    def find_charge(self, ctx: Context, key: str, customer_ref: str, since: datetime) -> Lookup:
        # `since` is not sent: were the two clocks to differ, it would hide the very charge we look for.
        try:
            found = self._found(ctx, "/v1/charges", {"reference": key, "customer": customer_ref})
            results = [_result(item) for item in found]
        except (Unreachable, Rejected) as error:
            return Lookup(answer=LookupAnswer.CANNOT_TELL, message=str(error))
        if any(result.key != key for result in results):
            return Lookup(answer=LookupAnswer.CANNOT_TELL, message="the answer is about another reference")
        captured = [result for result in results if result.status is Status.SUCCEEDED]
        if len(captured) > 1:
            refs = ", ".join(str(result.ref) for result in captured)
            return Lookup(answer=LookupAnswer.CANNOT_TELL, message=f"several charges carry this key: {refs}")
        if not results:
            return Lookup(answer=LookupAnswer.NO)
        return Lookup(answer=LookupAnswer.YES, result=(captured or results)[-1])

    def start_authentication(self, ctx: Context, ref: str, return_url: str) -> NextStep:
        path = f"/v1/charges/{_segment(ref, 'charge')}/authentication"
        shown = body_of(call(ctx, self.settings, "POST", path, body={"return_url": return_url}))
        return NextStep(kind=NextStepKind.REDIRECT, ref=ref, url=_web_address(shown))

    def refund(self, ctx: Context, request: RefundRequest) -> RefundResult:
        body = {
            "charge": request.charge_ref,
            "amount": request.amount.minor,
            "currency": request.amount.currency,
            "reference": request.idempotency_key,
            "reason": request.reason,
        }
        try:
            answer = call(ctx, self.settings, "POST", "/v1/refunds", key=request.idempotency_key, body=body)
            return _refunded(answer, request)
        except NotSent as error:
            return RefundResult(status=RefundStatus.NOT_SUBMITTED, message=str(error))
        except Ambiguous as error:
            return RefundResult(status=RefundStatus.UNKNOWN, message=str(error))

    def get_refund(self, ctx: Context, ref: str) -> RefundResult:
        try:
            result = _refund_result(self._read(ctx, "refunds", ref))
        except (Unreachable, Rejected) as error:
            return RefundResult(status=RefundStatus.UNKNOWN, ref=ref, message=str(error))
        if result.ref != ref:
            return RefundResult(
                status=RefundStatus.UNKNOWN, ref=ref, message="the answer is about another refund"
            )
        return result

    def find_refund(self, ctx: Context, key: str, charge_ref: str, since: datetime) -> RefundLookup:
        try:
            found = self._found(ctx, "/v1/refunds", {"reference": key, "charge": charge_ref})
            results = [_refund_result(item) for item in found]
        except (Unreachable, Rejected) as error:
            return RefundLookup(answer=LookupAnswer.CANNOT_TELL, message=str(error))
        if len(results) > 1 or any(result.key != key for result in results):
            message = "the answer is about another reference, or about several refunds"
            return RefundLookup(answer=LookupAnswer.CANNOT_TELL, message=message)
        if not results:
            return RefundLookup(answer=LookupAnswer.NO)
        return RefundLookup(answer=LookupAnswer.YES, result=results[0])

    def list_charges(
        self, ctx: Context, since: datetime, until: datetime, cursor: str | None = None
    ) -> ChargePage:
        params = {"created_from": _written(since), "created_until": _written(until)}
        if cursor is not None:
            params["cursor"] = cursor
        page = body_of(call(ctx, self.settings, "GET", "/v1/charges", params=params))
        charges = tuple(_result(item) for item in _items(page))
        return ChargePage(charges=charges, next_cursor=optional_text(page, "next"))

    def get_instrument(self, ctx: Context, ref: str) -> Instrument:
        try:
            instrument = _instrument(self._read(ctx, "instruments", ref))
        except Rejected as refusal:
            if refusal.http_status != 404:
                raise
            return Instrument(ref=ref, customer_ref=None, status=CardStatus.REVOKED)
        if instrument.ref != ref:
            raise Ambiguous("the answer is about another instrument")
        return instrument

    def forget_instrument(self, ctx: Context, ref: str) -> None:
        path = f"/v1/instruments/{_segment(ref, 'instrument')}"
        try:
            body_of(call(ctx, self.settings, "DELETE", path))
        except Rejected as refusal:
            if refusal.http_status != 404:
                raise

    def parse_webhook(self, request: WebhookRequest) -> WebhookResult:
        secret = self.settings.get("webhook_secret")
        if not isinstance(secret, Secret) or not secret:
            return WebhookResult(
                verdict=WebhookVerdict.NOT_CONFIGURED, reason="no webhook secret is configured"
            )
        now = int(request.now.timestamp())
        reason = signing.complaint(request.header(signing.HEADER), request.body, secret, now)
        if reason is not None:
            return WebhookResult(verdict=WebhookVerdict.REJECTED, reason=reason)
        try:
            return _heard(strict_json(request.body))
        except Ambiguous as error:
            return WebhookResult(verdict=WebhookVerdict.REJECTED, reason=str(error))

    def _read(self, ctx: Context, family: str, ref: str) -> dict[str, Any]:
        path = f"/v1/{family}/{_segment(ref, family.removesuffix('s'))}"
        return body_of(call(ctx, self.settings, "GET", path))

    def _found(self, ctx: Context, path: str, params: Mapping[str, str]) -> list[dict[str, Any]]:
        page = body_of(call(ctx, self.settings, "GET", path, params=params))
        if page.get("next") is not None:
            raise Ambiguous("the look-up's answer is only a part")
        return _items(page)

    def _charge_state(self, ctx: Context, method: str, ref: str, action: str) -> ChargeResult:
        try:
            path = f"/v1/charges/{_segment(ref, 'charge')}{action}"
            result = _result(body_of(call(ctx, self.settings, method, path)))
        except (Unreachable, Rejected) as error:
            return ChargeResult(status=Status.UNKNOWN, ref=ref, message=str(error))
        if result.ref != ref:
            return ChargeResult(status=Status.UNKNOWN, ref=ref, message="the answer is about another charge")
        return result


@hookimpl
def register_payment_gateways() -> list[type[Gateway]]:
    return [MockGateway]


def _charged(answer: Answer, request: ChargeRequest) -> ChargeResult:
    """Raises Ambiguous for what cannot be understood."""
    if answer.status == 429:
        return ChargeResult(status=Status.NOT_SUBMITTED, message="the processor is busy (429)")
    if answer.status in (401, 403):
        # Refused at the door; DECLINED would be final, and an earlier sending of this key may have landed.
        return _merchant_fault(Status.NOT_SUBMITTED, "invalid_api_key", "the API key was refused")
    if answer.status not in (200, 400, 402):
        raise Ambiguous(f"HTTP status {answer.status}")
    body = answer.json()
    if not isinstance(body, dict):
        raise Ambiguous("the answer is not a JSON object")
    if answer.status == 400:
        return _refused_request(body)
    shown = body if answer.status == 200 else body.get("charge")
    if not isinstance(shown, dict):
        raise Ambiguous("the answer shows no charge")
    return _compared(_result(shown), request)


def _refused_request(body: Mapping[str, Any]) -> ChargeResult:
    code, message = error_in(body)
    error = body.get("error")
    if not code or not isinstance(error, dict) or error.get("type") != "invalid_request":
        raise Ambiguous(f"HTTP status 400, {code or 'without a code'}: {message}")
    return _merchant_fault(Status.DECLINED, code, message)


def _compared(result: ChargeResult, request: ChargeRequest) -> ChargeResult:
    """UNKNOWN unless the charge shown is the one that was asked for."""
    if result.key != request.idempotency_key:
        message = f"asked for {request.idempotency_key}, the answer is about {result.key}"
    elif result.amount != request.amount:
        message = f"asked for {request.amount}, the answer shows {result.amount}"
    else:
        return result
    return ChargeResult(
        status=Status.UNKNOWN, ref=result.ref, amount=result.amount, message=message, key=result.key
    )


def _result(shown: Mapping[str, Any]) -> ChargeResult:
    status = _STATUSES.get(text(shown, "status"))
    if status is None:
        raise Ambiguous(f"unknown charge status {shown['status']!r}")
    return ChargeResult(
        status=status,
        ref=text(shown, "id"),
        amount=_amount(shown),
        decline=_decline(shown) if status in (Status.DECLINED, Status.ACTION_REQUIRED) else None,
        refunded_minor=whole(shown, "refunded"),
        disputed_minor=whole(shown, "disputed"),
        occurred_at=instant(shown, "created"),
        key=text(shown, "reference"),
        instrument_ref=text(shown, "instrument"),
        customer_ref=text(shown, "customer"),
    )


def _decline(shown: Mapping[str, Any]) -> Decline:
    if shown.get("status") == "cancelled":
        return Decline(kind=_KIND_OF_CODE["cancelled"], code="cancelled")
    told = shown.get("decline")
    if not isinstance(told, dict):
        raise Ambiguous("the answer gives no reason for the decline")
    code, advice = text(told, "code"), optional_text(told, "advice")
    kind = _KIND_OF_ADVICE.get(advice or "") or _KIND_OF_CODE.get(code, DeclineKind.RETRYABLE)
    return Decline(kind=kind, code=code, network_code=optional_text(told, "network_code"), advice=advice)


def _merchant_fault(status: Status, code: str, message: str) -> ChargeResult:
    return ChargeResult(status=status, decline=Decline(kind=DeclineKind.MERCHANT, code=code), message=message)


def _amount(shown: Mapping[str, Any]) -> Money:
    try:
        return Money(whole(shown, "amount"), text(shown, "currency"))
    except MoneyError as error:
        raise Ambiguous(f"the answer's amount is none: {error}") from error


def _refunded(answer: Answer, request: RefundRequest) -> RefundResult:
    if answer.status == 429:
        return RefundResult(
            status=RefundStatus.NOT_SUBMITTED, code="rate_limit", message="the processor is busy"
        )
    if answer.status in (401, 403):
        return RefundResult(
            status=RefundStatus.NOT_SUBMITTED, code="invalid_api_key", message="API key refused"
        )
    try:
        result = _refund_result(body_of(answer))
    except Rejected as refusal:
        if refusal.http_status not in (400, 404) or not refusal.code or refusal.code == "key_reused":
            raise Ambiguous(f"HTTP status {refusal.http_status}: {refusal}") from refusal
        return RefundResult(status=RefundStatus.REFUSED, code=refusal.code, message=str(refusal))
    if result.key != request.idempotency_key or result.amount != request.amount:
        message = f"asked for {request.amount}, the answer shows {result.amount} for {result.key}"
        return RefundResult(status=RefundStatus.UNKNOWN, ref=result.ref, message=message)
    return result


def _refund_result(shown: Mapping[str, Any]) -> RefundResult:
    if text(shown, "status") != "succeeded":
        raise Ambiguous(f"unknown refund status {shown['status']!r}")
    return RefundResult(
        status=RefundStatus.SUCCEEDED,
        ref=text(shown, "id"),
        charge_ref=text(shown, "charge"),
        amount=_amount(shown),
        occurred_at=instant(shown, "created"),
        key=text(shown, "reference"),
    )


def _instrument(shown: Mapping[str, Any]) -> Instrument:
    status = _CARD_STATUSES.get(text(shown, "status"))
    if status is None:
        raise Ambiguous(f"unknown instrument status {shown['status']!r}")
    return Instrument(
        ref=text(shown, "id"),
        customer_ref=optional_text(shown, "customer"),
        status=status,
        brand=optional_text(shown, "brand"),
        last4=optional_text(shown, "last4"),
        exp_month=optional_whole(shown, "exp_month"),
        exp_year=optional_whole(shown, "exp_year"),
        holder_name=optional_text(shown, "holder_name"),
        fingerprint=optional_text(shown, "fingerprint"),
    )


def _items(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    items = page.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Ambiguous("the answer is not a list of objects")
    return items


def _heard(event: object) -> WebhookResult:
    if not isinstance(event, dict) or event.get("mode") != "test":
        return WebhookResult(verdict=WebhookVerdict.REJECTED, reason="not an event of test mode")
    event_id, ref = text(event, "id"), text(event, "ref")
    if not is_ref(event_id) or not is_ref(ref):
        return WebhookResult(verdict=WebhookVerdict.REJECTED, reason="an id has characters that no id has")
    kind = _EVENT_KINDS.get(text(event, "type").partition(".")[0])
    if kind is None:
        return WebhookResult(verdict=WebhookVerdict.ACCEPTED, reason=f"nothing of ours: {event['type'][:80]}")
    heard = GatewayEvent(kind=kind, ref=ref, event_id=event_id, occurred_at=instant(event, "created"))
    return WebhookResult(verdict=WebhookVerdict.ACCEPTED, events=(heard,))


def _segment(ref: str, what: str) -> str:
    if not is_ref(ref):
        raise Rejected(f"{ref[:80]!r} is not a {what} reference", code="not_found", http_status=404)
    return ref


def _web_address(shown: Mapping[str, Any]) -> str:
    url = text(shown, "url")
    if not url.startswith(("http://", "https://")):
        raise Ambiguous("the answer's address is not a web address")
    return url


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
