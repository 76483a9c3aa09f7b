"""One page of a forecast with the sums of all of it, in one pass and without keeping its lines."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from gateways.money import Money
from panel.billing.paging import Listing
from panel.records import ManualReason, PaymentMethod
from panel.renewals.forecast import ForecastLine

PER_PAGE = 100


class Show(enum.StrEnum):
    """What becomes of a line. SKIPPED: its card is not charged, or it isn't billed at all; it says why."""

    CARD = "card"
    MANUAL = "manual"
    SKIPPED = "skipped"


_BILLED_BY_HAND = frozenset(reason.value for reason in ManualReason)


@dataclass
class DaySum:
    """What one day brings in one currency; `by_card` and `by_hand` count domains, sums are in minor units."""

    day: date
    currency: str
    by_card: int = 0
    by_hand: int = 0
    card_minor: int = 0
    hand_minor: int = 0

    @property
    def by_card_total(self) -> Money:
        return Money(self.card_minor, self.currency)

    @property
    def by_hand_total(self) -> Money:
        return Money(self.hand_minor, self.currency)


@dataclass(frozen=True)
class ForecastPage:
    """`sums` by day and currency and `skipped` cover every line, whatever is shown."""

    listing: Listing[ForecastLine]
    sums: list[DaySum]
    skipped: int


def kind_of(line: ForecastLine) -> Show:
    if line.skip_reason is not None:
        return Show.SKIPPED
    return Show.CARD if line.method is PaymentMethod.CARD else Show.MANUAL


def total_of(line: ForecastLine) -> Money:
    return Money(line.net.minor + line.tax_minor, line.net.currency)


def page_of_forecast(
    lines: Iterable[ForecastLine], *, show: Show | None, page: int, per_page: int = PER_PAGE
) -> ForecastPage:
    """A page out of range becomes the last one."""
    sums: dict[tuple[date, str], DaySum] = {}
    skipped = count = 0
    wanted: list[ForecastLine] = []
    latest: list[ForecastLine] = []
    for line in lines:
        kind = kind_of(line)
        skipped += kind is Show.SKIPPED
        _add(sums, line, kind)
        if show is None or kind is show:
            if count % per_page == 0:
                latest = []
            latest.append(line)
            if count // per_page == page - 1:
                wanted = latest
            count += 1
    pages = max(1, -(-count // per_page))
    listing = Listing(wanted if page <= pages else latest, count, False, min(page, pages), pages)
    return ForecastPage(listing, [sums[key] for key in sorted(sums)], skipped)


def _add(sums: dict[tuple[date, str], DaySum], line: ForecastLine, kind: Show) -> None:
    if kind is Show.SKIPPED and line.skip_reason not in _BILLED_BY_HAND:
        return
    key = (line.day, line.net.currency)
    if key not in sums:
        sums[key] = DaySum(*key)
    day = sums[key]
    if kind is Show.CARD:
        day.by_card += 1
        day.card_minor += total_of(line).minor
    else:
        day.by_hand += 1
        day.hand_minor += total_of(line).minor
