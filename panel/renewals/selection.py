"""Ticked domains as a rule with exceptions, so that ticking 100,000 costs as much as ticking one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel.errors import N_, Refused
from panel.records import Domain

MAX_EXCEPTIONS = 5_000


@dataclass(frozen=True)
class Selection:
    """With `everything`, all domains of the account but the exceptions; else the exceptions alone."""

    everything: bool
    exceptions: frozenset[int]

    def __post_init__(self) -> None:
        if len(self.exceptions) > MAX_EXCEPTIONS:
            raise Refused(
                N_(
                    "At most %(most)s domains can be ticked one by one; use the action for all of them instead."
                ),
                field="tick",
                most=MAX_EXCEPTIONS,
            )

    @classmethod
    def of(cls, domain_ids: Iterable[int]) -> Selection:
        return cls(False, frozenset(domain_ids))

    @classmethod
    def all(cls) -> Selection:
        return cls(True, frozenset())

    def ticked(self, domain_id: int) -> bool:
        return (domain_id in self.exceptions) != self.everything

    def with_page(self, shown: Iterable[int], ticks: Iterable[int]) -> Selection:
        """What the selection becomes when, of the rows `shown`, exactly `ticks` are ticked."""
        shown, ticks = set(shown), set(ticks)
        marked = shown - ticks if self.everything else shown & ticks
        return Selection(self.everything, frozenset((self.exceptions - shown) | marked))

    def condition(self) -> sa.ColumnElement[bool]:
        """The rule as SQL on `Domain`, within one account."""
        if self.everything:
            return Domain.id.not_in(self.exceptions) if self.exceptions else sa.true()
        return Domain.id.in_(self.exceptions) if self.exceptions else sa.false()

    def refuse_foreign(self, session: Session, account_id: int) -> None:
        """All or nothing: one id that is not of this account refuses the lot, whether it exists elsewhere or not."""
        if not self.exceptions:
            return
        known = session.scalar(
            sa.select(sa.func.count())
            .select_from(Domain)
            .where(Domain.account_id == account_id, Domain.id.in_(self.exceptions))
        )
        if known != len(self.exceptions):
            raise Refused(
                N_("Some of the ticked domains are not in this account any more; open the page again."),
                field="tick",
            )
