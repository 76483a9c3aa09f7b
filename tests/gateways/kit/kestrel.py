"""An invented processor and its gateway: two steps for a charge, decimal amounts, payments that take days.

It shows how little of a processor has to be described, and holds what the mock processor has not.
"""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

from gateways.contract import (
    Capabilities,
    CardStatus,
    ChargeResult,
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
    RefundResult,
    RefundStatus,
    RefundSupport,
    RegistrationResult,
    RegistrationStatus,
    SettingField,
    Status,
    WebhookResult,
    WebhookVerdict,
    WrongMode,
)
from gateways.errors import Ambiguous, NotSent, Rejected, Unreachable
from gateways.http import send, strict_json
from gateways.money import MoneyError
from gateways.secret import Secret
from gateways.setting_fields import problems_in
from gateways.testing import behaviours
from gateways.testing.conformance import Conformance
from gateways.testing.fake import (
    Call,
    Fake,
    Movement,
    MovementKind,
    NotOffered,
    Refused,
    Reply,
    StoredCard,
    Visit,
    route,
)

HOST = "https://api.kestrel.example"
SIGNATURE = "Kestrel-Signature"

# ---- The processor -------------------------------------------------------------------------------------

_REFUSALS = {
    "insufficient_funds": "no_funds",
    "do_not_honor": "not_honoured",
    "lost": "card_lost",
    "expired": "card_expired",
    "unheard_of": "quantum_flux",
    "merchant": "contract_missing",
    "limit": "limit_reached",
}


class KestrelFake(Fake):
    key_window_s = 6 * 3600
    id_names = ("reference",)

    def authorise(self, call: Call) -> None:
        if not call.header("Authorization").startswith("Bearer kes_test_"):
            raise Refused(401, "invalid_api_key", "who are you?")

    def error(self, status: int, code: str, message: str) -> Reply:
        return status, {"fault": code, "detail": message}

    @route("GET", "/me")
    def me(self, call: Call) -> Reply:
        return 200, {"name": "A reseller"}

    @route("POST", "/sessions")
    def open_session(self, call: Call) -> Reply:
        customer = call.body.get("customer") or self.add("customers", "cst", {})["id"]
        session = self.add("sessions", "ses", {"customer": customer, "status": "open", "card": None})
        return 201, {**session, "url": f"{call.host_url}pay/{session['id']}", "expires": self._in_an_hour()}

    @route("GET", "/sessions/<id>")
    def get_session(self, call: Call, id: str) -> Reply:
        session = self.found("sessions", id)
        if session["status"] == "open" and session["created"] < (self.now() - timedelta(hours=1)).isoformat():
            session["status"] = "expired"
        card = self.found("cards", session["card"]) if session["card"] else None
        return 200, {**session, "card": card}

    @route("POST", "/payments")
    def create_payment(self, call: Call) -> Reply:
        card = self.found("cards", call.body["card"])
        row = {"reference": call.body["reference"], "amount": call.body["amount"], "card": card["id"],
               "customer": card["customer"], "status": "created", "refusal": None, "refunded": "0",
               "disputed": "0"}  # fmt: skip
        return 201, self.add("payments", "pay", row)

    @route("POST", "/payments/<id>/confirm")
    def confirm(self, call: Call, id: str) -> Reply:
        payment = self.found("payments", id)
        card = self.found("cards", payment["card"])
        if payment["status"] == "created":
            payment["status"], payment["refusal"] = self._decided(card)
            self.announce(EventKind.CHARGE, id)
        return 200, payment

    @route("POST", "/payments/<id>/cancel")
    def cancel(self, call: Call, id: str) -> Reply:
        payment = self.found("payments", id)
        if payment["status"] in ("created", "waiting", "processing"):
            payment["status"], payment["refusal"] = "refused", "cancelled"
        return 200, payment

    @route("POST", "/payments/<id>/page")
    def payment_page(self, call: Call, id: str) -> Reply:
        return 200, {"url": f"{call.host_url}confirm/{self.found('payments', id)['id']}"}

    @route("GET", "/payments/<id>")
    def get_payment(self, call: Call, id: str) -> Reply:
        return 200, self.found("payments", id)

    @route("GET", "/customers/<id>/payments")
    def list_payments(self, call: Call, id: str) -> Reply:
        start = int(call.query.get("from", "0"))
        rows = self.rows("payments", customer=id)
        following = start + 50 if len(rows) > start + 50 else None
        return 200, {"payments": rows[start : start + 50], "next": following}

    @route("POST", "/payments/<id>/refunds")
    def refund(self, call: Call, id: str) -> Reply:
        payment, amount = self.found("payments", id), call.body["amount"]
        left = (
            _minor(payment["amount"]) - Money.parse(payment["refunded"], payment["amount"]["currency"]).minor
        )
        if amount["currency"] != payment["amount"]["currency"] or _minor(amount) > left:
            raise Refused(422, "too_much", "more than is left")
        self._count_refund(payment, _minor(amount))
        row = {"payment": id, "amount": amount, "status": "done", "reference": call.body["reference"]}
        return 201, self.add("refunds", "ref", row)

    @route("GET", "/payments/<id>/refunds")
    def list_refunds(self, call: Call, id: str) -> Reply:
        return 200, {"refunds": self.rows("refunds", payment=id)}

    @route("GET", "/refunds/<id>")
    def get_refund(self, call: Call, id: str) -> Reply:
        return 200, self.found("refunds", id)

    def movements(self) -> list[Movement]:
        charges = [
            Movement(
                kind=MovementKind.CHARGE,
                ref=row["id"],
                instrument_ref=row["card"],
                amount=Money(_minor(row["amount"]), row["amount"]["currency"]),
                moved=row["status"] == "paid",
            )
            for row in self.rows("payments")
        ]
        refunds = [
            Movement(
                kind=MovementKind.REFUND,
                ref=row["id"],
                instrument_ref=self.found("payments", row["payment"])["card"],
                amount=Money(_minor(row["amount"]), row["amount"]["currency"]),
                moved=row["status"] == "done",
            )
            for row in self.rows("refunds")
        ]
        return charges + refunds

    def card(self, behaviour: str) -> StoredCard:
        known = (behaviours.OK, behaviours.AUTHENTICATION_200, behaviours.PENDING, *_REFUSALS)
        if behaviour not in known:
            raise NotOffered(f"no card of Kestrel behaves as {behaviour}")
        row = self._new_card(self.add("customers", "cst", {})["id"], behaviour)
        return StoredCard(instrument_ref=row["id"], customer_ref=row["customer"])

    def visit(self, step: NextStep, visit: Visit) -> None:
        if step.ref in self.tables["payments"]:
            payment = self.found("payments", step.ref)
            passes = visit is Visit.COMPLETES
            payment["status"], payment["refusal"] = ("paid", None) if passes else ("refused", "not_confirmed")
            return
        session = self.found("sessions", step.ref)
        if visit is Visit.CANCELS:
            session["status"] = "cancelled"
        elif visit is Visit.FAILS_3DS:
            session["status"] = "failed"
        else:
            session["card"] = self._new_card(session["customer"], behaviours.OK)["id"]
            session["status"] = "done"

    def settle(self, charge_ref: str, succeeded: bool) -> None:
        row = self.found("payments", charge_ref)
        row["status"], row["refusal"] = ("paid", None) if succeeded else ("refused", "no_funds")

    def fail_refund(self, refund_ref: str) -> None:
        row = self.found("refunds", refund_ref)
        row["status"] = "failed"
        self._count_refund(self.found("payments", row["payment"]), -_minor(row["amount"]))

    def dispute(self, charge_ref: str) -> None:
        row = self.found("payments", charge_ref)
        row["disputed"] = row["amount"]["value"]

    def event(self, about, ref, *, event_id, at, live=False) -> bytes:
        kind = "payment" if about is EventKind.CHARGE else "weather"
        return json.dumps({"event": event_id, "about": kind, "id": ref, "live": live}).encode()

    def sign(self, body, secrets, at):
        return {SIGNATURE: ";".join([str(int(at.timestamp())), *(_digest(body, key, at) for key in secrets)])}

    def _decided(self, card):
        if card["behaves"] in _REFUSALS:
            return "refused", _REFUSALS[card["behaves"]]
        waits = {behaviours.AUTHENTICATION_200: "waiting", behaviours.PENDING: "processing"}
        return waits.get(card["behaves"], "paid"), None

    def _new_card(self, customer, behaviour):
        return self.add("cards", "crd", {"customer": customer, "behaves": behaviour, "last4": "4242"})

    def _count_refund(self, payment, minor):
        currency = payment["amount"]["currency"]
        before = Money.parse(payment["refunded"], currency)
        payment["refunded"] = (before + Money(minor, currency)).major_text()

    def _in_an_hour(self):
        return (self.now() + timedelta(hours=1)).isoformat()


def _minor(amount):
    return Money.parse(amount["value"], amount["currency"]).minor


def _digest(body, key, at):
    told = f"{int(at.timestamp())}.".encode() + body
    return hmac.new(key.reveal().encode(), told, hashlib.sha256).hexdigest()


# ---- The gateway ---------------------------------------------------------------------------------------

_KINDS = {
    "no_funds": DeclineKind.RETRYABLE,
    "not_honoured": DeclineKind.RETRYABLE,
    "limit_reached": DeclineKind.RETRYABLE,
    "cancelled": DeclineKind.RETRYABLE,
    "card_lost": DeclineKind.HARD,
    "card_expired": DeclineKind.HARD,
    "contract_missing": DeclineKind.MERCHANT,
    "not_confirmed": DeclineKind.AUTHENTICATION,
}
_STATUSES = {
    "paid": Status.SUCCEEDED,
    "refused": Status.DECLINED,
    "waiting": Status.ACTION_REQUIRED,
    "processing": Status.PENDING,
    "created": Status.UNKNOWN,
}


class Kestrel(Gateway):
    id = "kestrel"
    label = "Kestrel"
    api = (1, 0)
    capabilities = Capabilities(
        currencies={"EUR": CurrencyRule(), "JPY": CurrencyRule(), "TND": CurrencyRule(step_minor=10)},
        idempotency_window_s=5 * 3600,
        settle_delay_s=60,
        refunds=RefundSupport.PARTIAL,
        authentication=True,
        cancel=True,
        asynchronous=True,
    )
    setting_fields = (
        SettingField(key="api_key", label="API key", kind=FieldKind.SECRET),
        SettingField(key="webhook_secret", label="Webhook secret", kind=FieldKind.SECRET, required=False),
    )

    def __init__(self, settings, mode, account_id):
        super().__init__(settings, mode, account_id)
        key = self.settings.get("api_key")
        if isinstance(key, Secret) and not key.reveal().startswith(f"kes_{self.mode.value}_"):
            raise WrongMode(f"the API key is not one of {self.mode.value} mode")

    def check_settings(self, ctx):
        problems = problems_in(self.setting_fields, self.settings)
        try:
            if not problems:
                self._object(self._call(ctx, "GET", "/me"))
        except Rejected as refusal:
            return [Problem(field="api_key", message=str(refusal))]
        except Unreachable as error:
            return [Problem(field="", message=str(error))]
        return problems

    def start_registration(self, ctx, request):
        shown = self._object(
            self._call(ctx, "POST", "/sessions", key=request.key, body={"customer": request.customer_ref})
        )
        return NextStep(
            kind=NextStepKind.REDIRECT,
            ref=shown["id"],
            url=shown["url"],
            expires_at=datetime.fromisoformat(shown["expires"]),
        )

    def get_registration(self, ctx, ref):
        shown = self._object(self._call(ctx, "GET", f"/sessions/{_segment(ref)}"))
        statuses = {"open": "pending", "done": "validated"}
        status = RegistrationStatus(statuses.get(shown["status"], shown["status"]))
        card = shown["card"]
        stored = (
            Instrument(
                ref=card["id"],
                customer_ref=card["customer"],
                status=CardStatus.VALIDATED,
                last4=card["last4"],
            )
            if card
            else None
        )
        return RegistrationResult(status=status, ref=ref, instrument=stored, customer_ref=shown["customer"])

    def charge(self, ctx, request):
        problem = self.capabilities.amount_problem(request.amount)
        if problem is not None:
            return _faulty(Status.DECLINED, problem)
        key = request.idempotency_key
        body = {"reference": key, "amount": self._written(request.amount), "card": request.instrument_ref}
        try:
            created = self._call(ctx, "POST", "/payments", key=f"{key}:create", body=body)
            refusal = _at_the_door(created)
            if refusal is not None:
                return refusal
            ref = self._object(created)["id"]
            self._keep(ctx, key, ref)
            confirmed = self._call(ctx, "POST", f"/payments/{ref}/confirm", key=f"{key}:confirm")
            refusal = _at_the_door(confirmed)
            if refusal is not None:
                return refusal
            shown = self._object(confirmed)
            result = self._result(shown)
        except NotSent as error:
            return ChargeResult(status=Status.NOT_SUBMITTED, message=str(error))
        except (Ambiguous, Rejected) as error:
            return ChargeResult(status=Status.UNKNOWN, message=str(error))
        if (result.key, result.amount) != (key, request.amount):
            return ChargeResult(status=Status.UNKNOWN, ref=result.ref, message="another charge was shown")
        return result

    def get_charge(self, ctx, ref):
        return self._state(ctx, "GET", ref, "")

    def cancel_charge(self, ctx, ref):
        return self._state(ctx, "POST", ref, "/cancel")

    def find_charge(self, ctx, key, customer_ref, since):
        try:
            results = [self._result(row) for row in self._payments_of(ctx, customer_ref)]
        except (Unreachable, Rejected) as error:
            return Lookup(answer=LookupAnswer.CANNOT_TELL, message=str(error))
        found = [result for result in results if result.key == key]
        if not found:
            return Lookup(answer=LookupAnswer.NO)
        if len([result for result in found if result.status is Status.SUCCEEDED]) > 1:
            return Lookup(answer=LookupAnswer.CANNOT_TELL, message="several captures")
        return Lookup(answer=LookupAnswer.YES, result=found[-1])

    def start_authentication(self, ctx, ref, return_url):
        shown = self._object(self._call(ctx, "POST", f"/payments/{_segment(ref)}/page"))
        return NextStep(kind=NextStepKind.REDIRECT, ref=ref, url=shown["url"])

    def refund(self, ctx, request):
        body = {"amount": self._written(request.amount), "reference": request.idempotency_key}
        path = f"/payments/{_segment(request.charge_ref)}/refunds"
        try:
            answer = self._call(ctx, "POST", path, key=request.idempotency_key, body=body)
            if _at_the_door(answer) is not None:
                return RefundResult(status=RefundStatus.NOT_SUBMITTED, message=f"HTTP {answer.status}")
            if answer.status == 422:
                return RefundResult(status=RefundStatus.REFUSED, code=answer.json()["fault"])
            result = self._refunded(self._object(answer))
        except NotSent as error:
            return RefundResult(status=RefundStatus.NOT_SUBMITTED, message=str(error))
        except (Ambiguous, Rejected) as error:
            return RefundResult(status=RefundStatus.UNKNOWN, message=str(error))
        if (result.key, result.amount) != (request.idempotency_key, request.amount):
            return RefundResult(status=RefundStatus.UNKNOWN, ref=result.ref, message="another refund")
        return result

    def get_refund(self, ctx, ref):
        try:
            return self._refunded(self._object(self._call(ctx, "GET", f"/refunds/{_segment(ref)}")))
        except (Unreachable, Rejected) as error:
            return RefundResult(status=RefundStatus.UNKNOWN, ref=ref, message=str(error))

    def find_refund(self, ctx, key, charge_ref, since):
        try:
            path = f"/payments/{_segment(charge_ref)}/refunds"
            rows = self._object(self._call(ctx, "GET", path))["refunds"]
        except (Unreachable, Rejected) as error:
            return RefundLookup(answer=LookupAnswer.CANNOT_TELL, message=str(error))
        found = [self._refunded(row) for row in rows if row["reference"] == key]
        if not found:
            return RefundLookup(answer=LookupAnswer.NO)
        return RefundLookup(answer=LookupAnswer.YES, result=found[0])

    def parse_webhook(self, request):
        secret = self.settings.get("webhook_secret")
        if not isinstance(secret, Secret) or not secret:
            return WebhookResult(verdict=WebhookVerdict.NOT_CONFIGURED)
        stamp, *digests = request.header(SIGNATURE).split(";")
        if not (stamp.isascii() and stamp.isdecimal() and len(stamp) < 12):
            return _refused("malformed signature")
        at = datetime.fromtimestamp(int(stamp), UTC)
        if not any(
            found.isascii() and hmac.compare_digest(found, _digest(request.body, secret, at))
            for found in digests
        ):
            return _refused("wrong signature")
        if abs(request.now - at) > timedelta(minutes=5):
            return _refused("too old, or from the future")
        return self._heard(request.body)

    def _heard(self, body):
        try:
            event = strict_json(body)
        except Ambiguous as error:
            return _refused(str(error))
        if not isinstance(event, dict) or event.get("live") is not (self.mode is Mode.LIVE):
            return _refused("not an event of this mode")
        ref, event_id = event.get("id"), event.get("event")
        if not _is_ref(ref) or not _is_ref(event_id):
            return _refused("not an id")
        if event.get("about") != "payment":
            return WebhookResult(verdict=WebhookVerdict.ACCEPTED)
        heard = GatewayEvent(kind=EventKind.CHARGE, ref=ref, event_id=event_id)
        return WebhookResult(verdict=WebhookVerdict.ACCEPTED, events=(heard,))

    def _keep(self, ctx, key, ref):
        ctx.checkpoint(key, ref)

    def _written(self, amount):
        return {"value": amount.major_text(), "currency": amount.currency}

    def _call(self, ctx, method, path, *, key=None, body=None, params=None):
        api_key = self.settings["api_key"]
        headers = {"Authorization": f"Bearer {api_key.reveal()}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return send(ctx, method, HOST + path, headers=headers, body=body, params=params)

    def _object(self, answer):
        if answer.status in (409, 408) or 300 <= answer.status < 400 or answer.status >= 500:
            raise Ambiguous(f"HTTP {answer.status}")
        found = answer.json()
        if not isinstance(found, dict):
            raise Ambiguous("not an object")
        if answer.status in (200, 201):
            return found
        raise Rejected(str(found.get("detail")), code=str(found.get("fault")), http_status=answer.status)

    def _payments_of(self, ctx, customer):
        rows, start = [], 0
        while start is not None:
            path = f"/customers/{_segment(customer)}/payments"
            page = self._object(self._call(ctx, "GET", path, params={"from": str(start)}))
            rows += page["payments"]
            start = page["next"]
        return rows

    def _state(self, ctx, method, ref, action):
        try:
            result = self._result(self._object(self._call(ctx, method, f"/payments/{_segment(ref)}{action}")))
        except (Unreachable, Rejected) as error:
            return ChargeResult(status=Status.UNKNOWN, ref=ref, message=str(error))
        return result if result.ref == ref else ChargeResult(status=Status.UNKNOWN, ref=ref)

    def _result(self, row):
        try:
            amount = self._read(row["amount"])
            status = _STATUSES[row["status"]]
            return ChargeResult(
                status=status,
                ref=row["id"],
                amount=amount,
                decline=self._decline(row, status),
                refunded_minor=Money.parse(row["refunded"], amount.currency).minor,
                disputed_minor=Money.parse(row["disputed"], amount.currency).minor,
                key=row["reference"],
            )
        except (KeyError, TypeError, MoneyError) as error:
            raise Ambiguous(f"the answer shows no payment: {error!r}") from error

    def _decline(self, row, status):
        if status is Status.ACTION_REQUIRED:
            return Decline(kind=DeclineKind.AUTHENTICATION, code="waiting")
        if status is not Status.DECLINED:
            return None
        return Decline(kind=_KINDS.get(row["refusal"], DeclineKind.RETRYABLE), code=row["refusal"])

    def _refunded(self, row):
        try:
            done = row["status"] == "done"
            return RefundResult(
                status=RefundStatus.SUCCEEDED if done else RefundStatus.REFUSED,
                ref=row["id"],
                charge_ref=row["payment"],
                amount=self._read(row["amount"]),
                key=row["reference"],
            )
        except (KeyError, TypeError, MoneyError) as error:
            raise Ambiguous(f"the answer shows no refund: {error!r}") from error

    def _read(self, amount):
        return Money.parse(amount["value"], amount["currency"])


def _at_the_door(answer):
    if answer.status == 429:
        return ChargeResult(status=Status.NOT_SUBMITTED, message="busy")
    if answer.status in (401, 403):
        return _faulty(Status.NOT_SUBMITTED, "key_refused")
    return None


def _faulty(status, code):
    return ChargeResult(status=status, decline=Decline(kind=DeclineKind.MERCHANT, code=code))


def _refused(reason):
    return WebhookResult(verdict=WebhookVerdict.REJECTED, reason=reason)


def _is_ref(text):
    return isinstance(text, str) and text.replace("_", "").isalnum() and text.isascii() and len(text) < 100


def _segment(ref):
    if not _is_ref(ref):
        raise Rejected("not a reference", code="not_found", http_status=404)
    return ref


conformance = Conformance(
    gateway=Kestrel,
    processor=KestrelFake,
    settings={
        "api_key": Secret("kes_test_of_a_reseller"),
        "webhook_secret": Secret("kes_hook_of_a_reseller"),
    },
    declines={"limit": DeclineKind.RETRYABLE},
)
