"""Stripe as its documentation describes it, as far as cards for recurring payments go."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from typing import Any, Final

from gateways.contract import DeclineKind, EventKind, NextStep
from gateways.money import Money, exponent_of
from gateways.secret import Secret
from gateways.stripe import StripeGateway
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
from gateways.testing.fake import Row as Shown

_WIRE_DECIMALS: Final = {
    **dict.fromkeys("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD JOD KWD OMR TND".split(), 3),
}
"""All others have two, ISK and UGX among them."""

_WIRE_STEPS: Final = {
    **dict.fromkeys(("ISK", "UGX"), 100),
    **dict.fromkeys("BHD JOD KWD OMR TND".split(), 10),
}

_DECLINES: Final[dict[str, dict[str, str]]] = {
    "insufficient_funds": {"decline_code": "insufficient_funds"},
    "do_not_honor": {"decline_code": "do_not_honor"},
    "try_again_later": {"decline_code": "try_again_later", "advice_code": "try_again_later"},
    "processing_error": {"code": "processing_error"},
    "generic": {"decline_code": "generic_decline"},
    behaviours.UNHEARD_OF: {"decline_code": "moon_in_the_wrong_quarter"},
    "lost": {"decline_code": "lost_card"},
    "stolen": {"decline_code": "stolen_card"},
    "expired": {"code": "expired_card"},
    "closed": {"decline_code": "invalid_account"},
    "revoked": {"decline_code": "revocation_of_authorization"},
    "fraud": {"decline_code": "fraudulent"},
    behaviours.STOP: {"decline_code": "do_not_honor", "advice_code": "do_not_try_again"},
    "currency_refused": {"decline_code": "currency_not_supported"},
    behaviours.AUTHENTICATION: {"code": "authentication_required", "decline_code": "authentication_required"},
    "soft_decline": {"decline_code": "authentication_required"},
    "blocked_by_radar": {"decline_code": "fraudulent", "advice_code": "do_not_try_again"},
    "changed_account": {"decline_code": "generic_decline", "network_advice_code": "01"},
    "cancelled_agreement": {"decline_code": "do_not_honor", "network_advice_code": "21"},
    "check_the_card": {"decline_code": "generic_decline", "advice_code": "confirm_card_data"},
    "pick_up": {"decline_code": "pickup_card"},
    "velocity": {"decline_code": "card_velocity_exceeded"},
    "wrong_cvc": {"code": "incorrect_cvc"},
}
"""What a card says by its behaviour; the code is card_declined unless it is given."""

_EVENTS: Final = {
    EventKind.CHARGE: ("payment_intent.succeeded", "payment_intent"),
    EventKind.REFUND: ("refund.updated", "refund"),
    EventKind.DISPUTE: ("charge.dispute.created", "dispute"),
    EventKind.REGISTRATION: ("checkout.session.completed", "checkout.session"),
    EventKind.INSTRUMENT: ("payment_method.automatically_updated", "payment_method"),
    None: ("payout.paid", "payout"),
}
_ERROR_TYPES: Final = {
    "key_in_use": ("idempotency_error", "idempotency_key_in_use"),
    "key_reused": ("idempotency_error", None),
    "internal": ("api_error", None),
    "not_found": ("invalid_request_error", "resource_missing"),
}
_WAITING: Final = ("requires_payment_method", "requires_confirmation", "requires_action")


class StripeFake(Fake):
    amount_names = ("amount", "amount_received")

    def error(self, status: int, code: str, message: str) -> Reply:
        kind, shown = _ERROR_TYPES.get(code, ("invalid_request_error", code))
        told = {"type": kind, "message": message} | ({"code": shown} if shown is not None else {})
        return status, {"error": told}

    # Customers and their cards.

    @route("POST", "/v1/customers")
    def create_customer(self, call: Call) -> Reply:
        return 200, self._new("customers", "cus", _told(call), object="customer")

    @route("POST", "/v1/checkout/sessions")
    def create_session(self, call: Call) -> Reply:
        told = _told(call)
        self.found("customers", told["customer"])
        session = self._new(
            "sessions",
            "cs_test",
            {name: told[name] for name in ("customer", "client_reference_id", "success_url", "cancel_url")},
            object="checkout.session",
            mode=told["mode"],
            status="open",
            expires_at=self._at() + 86_400,
            setup_intent={"id": "seti_1", "object": "setup_intent", "status": "requires_payment_method"},
        )
        session["url"] = f"{call.host_url}pages/{session['id']}"
        return 200, deepcopy(session)

    @route("GET", "/v1/checkout/sessions/<id>")
    def get_session(self, call: Call, id: str) -> Reply:
        session = self.found("sessions", id)
        if session["status"] == "open" and session["expires_at"] <= self._at():
            session |= {"status": "expired", "url": None}
        return 200, session

    @route("GET", "/v1/payment_methods/<id>")
    def get_method(self, call: Call, id: str) -> Reply:
        return 200, self._visible(self.found("methods", id))

    @route("POST", "/v1/payment_methods/<id>/detach")
    def detach_method(self, call: Call, id: str) -> Reply:
        method = self.found("methods", id)
        if method["customer"] is None:
            raise Refused(400, "", "The payment method you provided is not attached to a customer.")
        method["customer"] = None
        return 200, self._visible(method)

    # Charges.

    @route("POST", "/v1/payment_intents")
    def create_intent(self, call: Call) -> Reply:
        told = _told(call)
        self.found("customers", told["customer"])
        method = self.tables["methods"].get(told["payment_method"])
        if method is None or method["customer"] != told["customer"]:
            return _param(400, "payment_method", "The payment method is not attached to this customer.")
        if told["allowed_payment_method_types"] != {"0": "card"}:
            raise Refused(400, "parameter_invalid", "other kinds of payment could want a return_url")
        amount, currency = int(told["amount"]), told["currency"].upper()
        if amount <= 0 or amount % _WIRE_STEPS.get(currency, 1):
            return _param(400, "amount", "This amount cannot be charged.")
        intent = self._new(
            "intents",
            "pi",
            {
                "amount": amount,
                "currency": told["currency"],
                "customer": told["customer"],
                "payment_method": told["payment_method"],
                "metadata": told.get("metadata", {}),
            },
            object="payment_intent",
            amount_received=0,
            status="requires_confirmation",
            latest_charge=None,
            last_payment_error=None,
            next_action=None,
            client_secret="pi_of_nobody_secret_for_the_browser",
        )
        return 200, deepcopy(intent)  # its key replays what it was, not what has become of it

    @route("POST", "/v1/payment_intents/<id>/confirm")
    def confirm_intent(self, call: Call, id: str) -> Reply:
        intent, told = self.found("intents", id), _told(call)
        if intent["status"] not in _WAITING:
            return self._unexpected(intent)
        intent["payment_method"] = told.get("payment_method") or intent["payment_method"]
        if intent["payment_method"] is None:
            raise Refused(400, "parameter_missing", "There is no payment method to confirm with.")
        behaviour = self.found("methods", intent["payment_method"])["behaviour"]
        if "return_url" in told:
            return 200, self._ask_the_cardholder(call, intent, told["return_url"])
        return deepcopy(self._ask_the_bank(intent, behaviour))

    @route("POST", "/v1/payment_intents/<id>/cancel")
    def cancel_intent(self, call: Call, id: str) -> Reply:
        intent = self.found("intents", id)
        if intent["status"] not in _WAITING:
            return self._unexpected(intent)
        intent |= {"status": "canceled", "next_action": None}
        return 200, self._expanded(intent, call)

    @route("GET", "/v1/payment_intents/<id>")
    def get_intent(self, call: Call, id: str) -> Reply:
        return 200, self._expanded(self.found("intents", id), call)

    @route("GET", "/v1/payment_intents")
    def list_intents(self, call: Call) -> Reply:
        query = call.query
        found = [
            intent
            for intent in reversed(self.rows("intents"))
            if query.get("customer") in (None, intent["customer"])
            and int(query.get("created[gte]", 0)) <= intent["created"]
            and intent["created"] < int(query.get("created[lt]", 2**40))
        ]
        reply = _paged(found, query)
        reply["data"] = [self._expanded(intent, call) for intent in reply["data"]]
        return 200, reply

    # What goes back.

    @route("POST", "/v1/refunds")
    def create_refund(self, call: Call) -> Reply:
        told = _told(call)
        intent = self.found("intents", told["payment_intent"])
        charge, amount = self.found("charges", intent["latest_charge"]), int(told["amount"])
        if amount > charge["amount"] - charge["amount_refunded"]:
            code = "charge_already_refunded" if charge["amount_refunded"] == charge["amount"] else ""
            raise Refused(400, code, "Refund amount is greater than unrefunded amount on charge")
        charge["amount_refunded"] += amount
        refund = self._new(
            "refunds",
            "re",
            {"amount": amount, "currency": charge["currency"], "metadata": told.get("metadata", {})},
            object="refund",
            status="succeeded",
            charge=charge["id"],
            payment_intent=intent["id"],
        )
        self.announce(EventKind.REFUND, refund["id"])
        return 200, {**refund}

    @route("GET", "/v1/refunds/<id>")
    def get_refund(self, call: Call, id: str) -> Reply:
        return 200, self.found("refunds", id)

    @route("GET", "/v1/refunds")
    def list_refunds(self, call: Call) -> Reply:
        found = self.rows("refunds", payment_intent=call.query["payment_intent"])
        return 200, _paged(found[::-1], call.query)

    @route("GET", "/v1/disputes")
    def list_disputes(self, call: Call) -> Reply:
        found = self.rows("disputes", payment_intent=call.query["payment_intent"])
        return 200, _paged(found[::-1], call.query)

    # What the checks ask for.

    def movements(self) -> list[Movement]:
        rows = [*self.rows("intents"), *self.rows("refunds")]
        return [self._movement(row) for row in rows]

    def card(self, behaviour: str) -> StoredCard:
        if behaviour not in (behaviours.OK, behaviours.AUTHENTICATION_200, "merchant", *_DECLINES):
            raise NotOffered(f"no card behaves as {behaviour}")
        customer = self._new("customers", "cus", {}, object="customer")
        method = self._new_method(customer["id"], behaviour)
        return StoredCard(instrument_ref=method["id"], customer_ref=customer["id"])

    def visit(self, step: NextStep, visit: Visit) -> None:
        if step.ref in self.tables["sessions"]:
            self._visit_session(self.tables["sessions"][step.ref], visit)
        else:
            self._visit_bank(self.tables["intents"][step.ref], visit)

    def fail_refund(self, refund_ref: str) -> None:
        refund = self.tables["refunds"][refund_ref]
        refund |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
        self.tables["charges"][refund["charge"]]["amount_refunded"] -= refund["amount"]

    def dispute(self, charge_ref: str) -> None:
        charge = self.tables["charges"][self.tables["intents"][charge_ref]["latest_charge"]]
        charge["disputed"] = True
        self._new(
            "disputes",
            "dp",
            {name: charge[name] for name in ("amount", "currency", "payment_intent")},
            object="dispute",
            status="needs_response",
        )

    def event(
        self, about: EventKind | None, ref: str, *, event_id: str, at: datetime, live: bool = False
    ) -> bytes:
        kind, named = _EVENTS[about]
        shown = {"id": ref, "object": named}
        if about is EventKind.DISPUTE:
            shown = {"id": "dp_of_it", "object": named, "payment_intent": ref}
        event = {
            "id": event_id,
            "object": "event",
            "type": kind,
            "created": int(at.timestamp()),
            "livemode": live,
            "data": {"object": shown},
        }
        return json.dumps(event).encode()

    def sign(self, body: bytes, secrets: Sequence[Secret], at: datetime) -> Mapping[str, str]:
        stamp = str(int(at.timestamp()))
        signed = stamp.encode() + b"." + body
        digests = [
            hmac.new(secret.reveal().encode(), signed, hashlib.sha256).hexdigest() for secret in secrets
        ]
        parts = [f"t={stamp}", "v0=of_no_meaning", *(f"v1={digest}" for digest in digests)]
        return {"Stripe-Signature": ",".join(parts)}

    # How it does it.

    def _at(self) -> int:
        return int(self.now().timestamp())

    def _new(self, table: str, prefix: str, told: Mapping[str, Any], **fixed: Any) -> Shown:
        return self.add(table, prefix, {**told, **fixed, "created": self._at(), "livemode": False})

    def _new_method(self, customer: str, behaviour: str) -> Shown:
        count = len(self.tables["methods"])
        return self._new(
            "methods",
            "pm",
            {"customer": customer, "behaviour": behaviour},
            object="payment_method",
            type="card",
            card={
                "brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2039,
                "fingerprint": f"print{count}",
            },
            billing_details={"name": "Ioana Popescu"},
        )  # fmt: skip

    @staticmethod
    def _visible(method: Shown) -> Shown:
        return {name: value for name, value in method.items() if name != "behaviour"}

    def _expanded(self, intent: Shown, call: Call) -> Shown:
        wanted = {value for name, value in {**call.query, **_flat(call)}.items() if name.startswith("expand")}
        if intent["latest_charge"] is None or not wanted & {"latest_charge", "data.latest_charge"}:
            return intent
        return {**intent, "latest_charge": self.tables["charges"][intent["latest_charge"]]}

    def _unexpected(self, intent: Shown) -> Reply:
        told = {
            "type": "invalid_request_error",
            "code": "payment_intent_unexpected_state",
            "message": f"The PaymentIntent is {intent['status']}.",
            "payment_intent": intent,
        }
        return 400, {"error": told}

    def _ask_the_bank(self, intent: Shown, behaviour: str) -> Reply:
        if behaviour == "merchant":
            raise Refused(400, "charge_invalid_parameter", "This account cannot make such charges.")
        if behaviour == behaviours.AUTHENTICATION_200:
            intent |= {"status": "requires_action", "next_action": {"type": "use_stripe_sdk"}}
            return 200, intent
        if behaviour in _DECLINES:
            return self._decline(intent, {"code": "card_declined", **_DECLINES[behaviour]})
        return 200, self._capture(intent)

    def _decline(self, intent: Shown, error: Mapping[str, str]) -> Reply:
        method = self._visible(self.tables["methods"][intent["payment_method"]])
        told = {"type": "card_error", "message": "Your card was declined.", **error, "payment_method": method}
        intent |= {"status": "requires_payment_method", "payment_method": None, "last_payment_error": told}
        intent["next_action"] = None
        self.announce(EventKind.CHARGE, intent["id"])
        return 402, {"error": {**told, "payment_intent": {**intent}}}

    def _capture(self, intent: Shown) -> Shown:
        charge = self._new(
            "charges",
            "ch",
            {"amount": intent["amount"], "currency": intent["currency"], "payment_intent": intent["id"]},
            object="charge",
            amount_refunded=0,
            disputed=False,
        )
        intent |= {
            "status": "succeeded",
            "amount_received": intent["amount"],
            "latest_charge": charge["id"],
            "next_action": None,
        }
        self.announce(EventKind.CHARGE, intent["id"])
        return intent

    def _ask_the_cardholder(self, call: Call, intent: Shown, return_url: str) -> Shown:
        page = {"url": f"{call.host_url}pages/{intent['id']}", "return_url": return_url}
        intent |= {
            "status": "requires_action",
            "last_payment_error": None,
            "next_action": {"type": "redirect_to_url", "redirect_to_url": page},
        }
        return intent

    def _visit_bank(self, intent: Shown, visit: Visit) -> None:
        if visit in (Visit.COMPLETES, Visit.COMPLETES_3DS):
            self._capture(intent)
        elif visit is Visit.FAILS_3DS:
            self._decline(
                intent, {"type": "invalid_request_error", "code": "payment_intent_authentication_failure"}
            )

    def _visit_session(self, session: Shown, visit: Visit) -> None:
        setup = session["setup_intent"]
        if visit in (Visit.COMPLETES, Visit.COMPLETES_3DS) and session["status"] == "open":
            method = self._new_method(session["customer"], behaviours.OK)
            setup |= {"status": "succeeded", "payment_method": self._visible(method)}
            session |= {"status": "complete", "url": None}
            self.announce(EventKind.REGISTRATION, session["id"])
        elif visit is Visit.FAILS_3DS:
            setup["last_setup_error"] = {
                "code": "setup_intent_authentication_failure",
                "message": "We are unable to authenticate your payment method.",
            }

    def _movement(self, row: Shown) -> Movement:
        currency = row["currency"].upper()
        minor = row["amount"] * 10 ** exponent_of(currency) // 10 ** _WIRE_DECIMALS.get(currency, 2)
        if row["object"] == "refund":
            kind, moved, method = MovementKind.REFUND, row["status"] == "succeeded", ""
        else:
            kind, moved = MovementKind.CHARGE, row["status"] == "succeeded"
            error = row["last_payment_error"] or {}
            method = row["payment_method"] or error.get("payment_method", {}).get("id", "")
        amount = Money(minor, currency)
        return Movement(kind=kind, ref=row["id"], instrument_ref=method, amount=amount, moved=moved)


def _told(call: Call) -> dict[str, Any]:
    """The parameters. Stripe takes an empty one for an order to unset it, which a new object cannot obey."""
    for name, value in call.body.items():
        if value == "":
            raise Refused(400, "parameter_invalid_empty", f"You passed an empty string for '{name}'.")
    return call.body


def _flat(call: Call) -> dict[str, str]:
    expand = call.body.get("expand", {}) if call.method == "POST" else {}
    return {f"expand[{name}]": value for name, value in expand.items()}


def _param(status: int, name: str, message: str) -> Reply:
    return status, {"error": {"type": "invalid_request_error", "param": name, "message": message}}


def _paged(found: Sequence[Shown], query: Mapping[str, str]) -> Shown:
    """`found` is newest first."""
    ids = [row["id"] for row in found]
    start = ids.index(query["starting_after"]) + 1 if "starting_after" in query else 0
    limit = int(query.get("limit", 10))
    page = list(found[start : start + limit])
    return {"object": "list", "data": page, "has_more": start + limit < len(found), "url": "/v1/list"}


conformance = Conformance(
    gateway=StripeGateway,
    processor=StripeFake,
    settings={
        "api_key": Secret("sk_test_of_the_conformance_kit"),
        "webhook_secret": Secret("whsec_of_the_conformance_kit"),
    },
    declines={
        **dict.fromkeys(("soft_decline",), DeclineKind.AUTHENTICATION),
        **dict.fromkeys(("velocity",), DeclineKind.RETRYABLE),
        **dict.fromkeys(
            (
                "blocked_by_radar",
                "changed_account",
                "cancelled_agreement",
                "check_the_card",
                "pick_up",
                "wrong_cvc",
            ),
            DeclineKind.HARD,
        ),
    },
    wire_exponents={"ISK": 2, "UGX": 2, "MGA": 0},
)
