"""Value-added tax on a document: which rate applies, and how much that is."""

from __future__ import annotations

from dataclasses import dataclass

from panel.errors import N_
from panel.records import Contact, Seller

# ISO codes; Greece is GR here though its VAT ids start with EL.
EU = frozenset(
    [
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HR",
        "HU",
        "IE",
        "IT",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
    ]
)

REVERSE_CHARGE = N_("Reverse charge: the customer accounts for VAT.")
OUTSIDE_EU = N_("Outside the scope of EU VAT.")


@dataclass(frozen=True)
class TaxRule:
    """A rate in basis points (2100 is 21 %) and the sentence that the document must carry, if any."""

    rate_bp: int
    note: str | None = None


def rule_for(seller: Seller, contact: Contact) -> TaxRule:
    """The rule for services sold by `seller` to `contact`.

    At home the seller's rate. To a business in another member state (one with a VAT id) reverse charge; to its
    consumers the seller's own rate, as below the one-stop-shop threshold. Outside the union no VAT.
    """
    if contact.country == seller.country:
        return TaxRule(seller.vat_rate_bp)
    if contact.country in EU and seller.country in EU:
        return TaxRule(0, REVERSE_CHARGE) if contact.vat_id else TaxRule(seller.vat_rate_bp)
    return TaxRule(0, OUTSIDE_EU)


def tax_on(net_minor: int, rate_bp: int) -> int:
    """Tax in minor units on the document's sum at one rate, rounded half up (EN 16931, BR-CO-17)."""
    return (net_minor * rate_bp + 5_000) // 10_000
