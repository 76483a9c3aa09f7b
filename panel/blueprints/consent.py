"""Who agrees to be charged, as told by the request that says so."""

from __future__ import annotations

from collections.abc import Mapping

from flask import request

from panel.billing.card_number_guard import has_card_number, refuse_card_number
from panel.records import Account
from panel.renewals.recurrence import ConsentGiven
from panel.web import is_staff, remote_address, user

REFERENCE_LENGTH = 200


def typed_reference(values: Mapping[str, str]) -> str:
    """The reference to show again after a refusal; a card number isn't."""
    typed = values.get("reference", "")[:REFERENCE_LENGTH]
    return "" if has_card_number(typed) else typed


def consent_given(account: Account) -> ConsentGiven:
    """The signed-in person's consent; staff add the reference of the client's own (a letter, a ticket)."""
    refuse_card_number(request.form.get("reference"), "reference")
    reference = " ".join(request.form.get("reference", "").split())[:REFERENCE_LENGTH]
    return ConsentGiven(
        user_id=user().id,
        is_staff=is_staff(),
        on_behalf_of=account.name,
        reference=reference or None,
        remote_address=remote_address() or None,
    )
