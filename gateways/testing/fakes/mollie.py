"""Mollie as its documentation describes it, as far as cards for recurring payments go."""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from werkzeug.wrappers import Response

from gateways.contract import DeclineKind, EventKind, NextStep
from gateways.mollie import MollieGateway
from gateways.money import Money
from gateways.secret import Secret
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
    Row,
    StoredCard,
    Visit,
    route,
)

_FAILURES: Final[dict[str, tuple[str, str | None]]] = {
    "insufficient_funds": ("insufficient_funds", None),
    "do_not_honor": ("refused_by_issuer", "do_not_honor"),
    "try_again_later": ("refused_by_issuer", "issuer_unavailable"),
    "processing_error": ("unknown_reason", "system_malfunction"),
    "generic": ("unknown_reason", None),
    behaviours.UNHEARD_OF: ("moon_in_the_wrong_quarter", None),
    "lost": ("refused_by_issuer", "lost_card"),
    "stolen": ("refused_by_issuer", "stolen_card"),
    "expired": ("card_expired", None),
    "closed": ("refused_by_issuer", "closed_account"),
    "revoked": ("refused_by_issuer", "revocation_of_authorization"),
    "fraud": ("possible_fraud", None),
    "currency_refused": ("card_declined", "invalid_currency"),
    behaviours.AUTHENTICATION: ("authentication_required", None),
    behaviours.AUTHENTICATION_200: ("refused_by_issuer", "additional_customer_authentication_required"),
    "inactive": ("inactive_card", None),
    "wrong_kind": ("invalid_card_type", None),
    "bank_says_stop": ("card_declined", "stop_payment_order"),
    "refused": ("refused_by_issuer", None),
    "declined": ("card_declined", None),
    "unheard_of_by_the_bank": ("insufficient_funds", "comet_in_the_sky"),
}
"""What a card says by its behaviour: Mollie's failureReason, and the bank's own code where Mollie hands it
on."""

_CREATED: Final = 201


class MollieFake(Fake):
    key_window_s = 3_600
    amount_names = ("amount",)
    currency_names = ("amount",)
    id_names = ("perennial_key",)

    def error(self, status: int, code: str, message: str) -> Reply:
        shown = 422 if code == "key_reused" else status
        return shown, {"status": shown, "title": code.replace("_", " ").title(), "detail": message}

    @route("GET", "/v2/methods")
    def list_methods(self, call: Call) -> Reply:
        methods = [{"resource": "method", "id": name} for name in ("creditcard", "ideal")]
        return 200, {"count": 2, "_embedded": {"methods": methods}, "_links": {}}

    # Customers and their mandates.

    @route("POST", "/v2/customers")
    def create_customer(self, call: Call) -> Reply:
        return _CREATED, self._new("customers", "cst", {**call.body, "resource": "customer"})

    @route("GET", "/v2/customers/<customer>/mandates/<id>")
    def get_mandate(self, call: Call, customer: str, id: str) -> Reply:
        return 200, _visible(self._mandate(customer, id))

    @route("DELETE", "/v2/customers/<customer>/mandates/<id>")
    def revoke_mandate(self, call: Call, customer: str, id: str) -> Reply:
        del self.tables["mandates"][self._mandate(customer, id)["id"]]
        return Response(b"", 204)

    # Payments.

    @route("POST", "/v2/payments")
    def create_payment(self, call: Call) -> Reply:
        told = call.body
        self._check(told)
        if told["sequenceType"] == "first":
            return _CREATED, deepcopy(self._first(call, told))
        mandate = self.tables["mandates"].get(told["mandateId"])
        if mandate is None or mandate["customerId"] != told["customerId"]:
            return _unprocessable("mandateId", "The mandate is invalid.")
        behaviour = mandate["behaviour"]
        if behaviour == "merchant":
            return _unprocessable("method", "The payment method is not enabled in your website profile.")
        payment = self._payment(told, status="paid", mandateId=mandate["id"], method="creditcard")
        if behaviour in _FAILURES:
            payment |= _failure(*_FAILURES[behaviour])
        self.announce(EventKind.CHARGE, payment["id"])
        if behaviour == "made_all_the_same":
            return 422, {"status": 422, "title": "Unprocessable Entity", "detail": "The card was not found"}
        return _CREATED, deepcopy(payment)

    @route("GET", "/v2/payments/<id>")
    def get_payment(self, call: Call, id: str) -> Reply:
        payment = self.found("payments", id)
        expires = payment.get("expiresAt")
        if payment["status"] == "open" and expires and datetime.fromisoformat(expires) <= self.now():
            payment["status"] = "expired"
        return 200, payment

    @route("DELETE", "/v2/payments/<id>")
    def cancel_payment(self, call: Call, id: str) -> Reply:
        payment = self.found("payments", id)
        if payment["status"] != "open":
            raise Refused(422, "unprocessable_entity", "The payment cannot be cancelled")
        payment["status"] = "canceled"
        return 200, payment

    @route("GET", "/v2/payments")
    def list_payments(self, call: Call) -> Reply:
        return 200, self._paged(call, self.rows("payments"))

    @route("GET", "/v2/customers/<customer>/payments")
    def list_payments_of_customer(self, call: Call, customer: str) -> Reply:
        self.found("customers", customer)
        return 200, self._paged(call, self.rows("payments", customerId=customer))

    # What goes back.

    @route("POST", "/v2/payments/<id>/refunds")
    def create_refund(self, call: Call, id: str) -> Reply:
        payment, wanted = self.found("payments", id), _money(call.body["amount"])
        paid, given = _money(payment["amount"]), _money(payment["amountRefunded"])
        if wanted.currency != paid.currency or wanted > paid - given:
            return _unprocessable("amount", "The specified amount cannot be refunded")
        payment["amountRefunded"] = _written(given + wanted)
        refund = {**call.body, "resource": "refund", "paymentId": id, "status": "pending"}
        return _CREATED, deepcopy(self._new("refunds", "re", refund))

    @route("GET", "/v2/payments/<payment>/refunds/<id>")
    def get_refund(self, call: Call, payment: str, id: str) -> Reply:
        refund = self.found("refunds", id)
        if refund["paymentId"] != payment:
            raise Refused(404, "not_found", "No refund exists with this token.")
        return 200, refund

    @route("GET", "/v2/payments/<payment>/refunds")
    def list_refunds(self, call: Call, payment: str) -> Reply:
        found = self.rows("refunds", paymentId=payment)[::-1]
        return 200, {"count": len(found), "_embedded": {"refunds": found}, "_links": {"next": None}}

    # What the checks ask for.

    def movements(self) -> list[Movement]:
        payments = self.rows("payments", sequenceType="recurring")
        return [*map(self._charge, payments), *map(self._refund, self.rows("refunds"))]

    def card(self, behaviour: str) -> StoredCard:
        if behaviour not in (behaviours.OK, "merchant", "made_all_the_same", *_FAILURES):
            raise NotOffered(f"Mollie has no card that behaves as {behaviour}")
        customer = self._new("customers", "cst", {"resource": "customer"})
        mandate = self._new_mandate(customer["id"], behaviour)
        return StoredCard(instrument_ref=f"{customer['id']}-{mandate['id']}", customer_ref=customer["id"])

    def visit(self, step: NextStep, visit: Visit) -> None:
        payment = self.tables["payments"][step.ref]
        if visit is Visit.CANCELS:
            payment["status"] = "canceled"
        elif visit is Visit.FAILS_3DS:
            payment |= _failure("authentication_failed", None)
        else:
            mandate = self._new_mandate(payment["customerId"], behaviours.OK)
            payment |= {"status": "paid", "mandateId": mandate["id"]}
        self.announce(EventKind.REGISTRATION, payment["id"])

    def fail_refund(self, refund_ref: str) -> None:
        refund = self.tables["refunds"][refund_ref.partition("-")[2]]
        refund["status"] = "failed"
        payment = self.tables["payments"][refund["paymentId"]]
        left = _money(payment["amountRefunded"]) - _money(refund["amount"])
        payment["amountRefunded"] = _written(left)

    def dispute(self, charge_ref: str) -> None:
        payment = self.tables["payments"][charge_ref]
        payment["amountChargedBack"] = payment["amount"]

    def event(
        self, about: EventKind | None, ref: str, *, event_id: str, at: datetime, live: bool = False
    ) -> bytes:
        return urlencode({"id": ref}).encode()

    # How it does it.

    def _new(self, table: str, prefix: str, told: Row) -> Row:
        return self.add(table, prefix, {**told, "createdAt": self.now().isoformat(), "mode": "test"})

    def _new_mandate(self, customer: str, behaviour: str) -> Row:
        details = {
            "cardHolder": "Ioana Popescu",
            "cardNumber": "0005",
            "cardLabel": "Mastercard",
            "cardFingerprint": f"print{len(self.tables['mandates'])}",
            "cardExpiryDate": "2039-12-31",
        }
        told = {
            "resource": "mandate",
            "customerId": customer,
            "method": "creditcard",
            "status": "valid",
            "details": details,
            "behaviour": behaviour,
        }
        return self._new("mandates", "mdt", told)

    def _mandate(self, customer: str, id: str) -> Row:
        mandate = self.found("mandates", id)
        if mandate["customerId"] != customer:
            raise Refused(404, "not_found", "No mandate exists with this token.")
        return mandate

    def _check(self, told: Row) -> None:
        """Raises Refused for what Mollie does not take."""
        self.found("customers", told["customerId"])
        if not told["description"] or len(told["description"]) > 255:
            raise Refused(422, "unprocessable_entity", "The description is invalid")
        amount = _money(told["amount"])
        if _written(amount) != told["amount"]:
            raise Refused(422, "unprocessable_entity", "The amount contains an invalid number of decimals")
        if amount.is_zero is not (told["sequenceType"] == "first"):
            raise Refused(422, "unprocessable_entity", "The amount is lower than the minimum")

    def _first(self, call: Call, told: Row) -> Row:
        expires = (self.now() + timedelta(minutes=15)).isoformat()
        payment = self._payment(told, status="open", method=told["method"], expiresAt=expires)
        payment["_links"] = {"checkout": {"href": f"{call.host_url}pages/{payment['id']}"}}
        return payment

    def _payment(self, told: Row, **more: Any) -> Row:
        nothing = _written(Money.zero(told["amount"]["currency"]))
        return self._new(
            "payments",
            "tr",
            {**told, "resource": "payment", "amountRefunded": nothing, "details": {}, **more},
        )

    def _paged(self, call: Call, oldest_first: list[Row]) -> Row:
        rows = oldest_first if call.query.get("sort") == "asc" else oldest_first[::-1]
        ids = [row["id"] for row in rows]
        start = ids.index(call.query["from"]) if "from" in call.query else 0
        limit = int(call.query.get("limit", 50))
        page, rest = rows[start : start + limit], ids[start + limit :]
        query = urlencode({"from": rest[0], "limit": limit}) if rest else ""
        following = {"href": f"https://api.mollie.com{call.path}?{query}"} if rest else None
        return {
            "count": len(page),
            "_embedded": {"payments": page},
            "_links": {"self": {"href": "https://api.mollie.com"}, "next": following},
        }

    @staticmethod
    def _charge(payment: Row) -> Movement:
        return Movement(
            kind=MovementKind.CHARGE,
            ref=payment["id"],
            instrument_ref=f"{payment['customerId']}-{payment['mandateId']}",
            amount=_money(payment["amount"]),
            moved=payment["status"] == "paid",
        )

    @staticmethod
    def _refund(refund: Row) -> Movement:
        return Movement(
            kind=MovementKind.REFUND,
            ref=refund["id"],
            instrument_ref="",
            amount=_money(refund["amount"]),
            moved=refund["status"] != "failed",
        )


def _visible(mandate: Row) -> Row:
    return {name: value for name, value in mandate.items() if name != "behaviour"}


def _failure(failure: str, reason: str | None) -> Row:
    told: Row = {"status": "failed", "details": {"failureReason": failure}}
    return told | ({"statusReason": {"code": reason, "message": "Refused."}} if reason else {})


def _unprocessable(field: str, detail: str) -> Reply:
    return 422, {"status": 422, "title": "Unprocessable Entity", "detail": detail, "field": field}


def _money(told: Row) -> Money:
    return Money.parse(told["value"], told["currency"])


def _written(amount: Money) -> dict[str, str]:
    return {"currency": amount.currency, "value": amount.major_text()}


conformance = Conformance(
    gateway=MollieGateway,
    processor=MollieFake,
    settings={"api_key": Secret("test_of_the_conformance_kit")},
    webhook_secret=None,
    declines={
        **dict.fromkeys(("inactive", "wrong_kind", "bank_says_stop"), DeclineKind.HARD),
        **dict.fromkeys(("refused", "declined", "unheard_of_by_the_bank"), DeclineKind.RETRYABLE),
    },
)
