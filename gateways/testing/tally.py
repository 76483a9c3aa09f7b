"""Verdicts by group, in words and as a badge."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from html import escape
from pathlib import Path
from typing import Final

from gateways.contract import API_VERSION


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_OFFERED = "not offered"


_COLOURS: Final = {True: "#2e7d32", False: "#b3261e", None: "#5f6b7a"}
"""Contrast with white is above 4.5 in each."""
_CHAR_PX: Final = 6.6


@dataclass
class Tally:
    """`all_checks` are full names ("money.another_amount_is_unknown") in their order."""

    gateway: str
    all_checks: tuple[str, ...]
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    """Why a check is not offered."""
    seconds: float = 0.0

    def note(self, check: str, verdict: Verdict, reason: str = "") -> None:
        self.verdicts[check] = verdict
        if reason:
            self.reasons[check] = reason

    def number_of(self, verdict: Verdict) -> int:
        return sum(found is verdict for found in self.verdicts.values())

    @property
    def conforms(self) -> bool | None:
        """None when not every check has run."""
        if self.number_of(Verdict.FAILED):
            return False
        return True if len(self.verdicts) == len(self.all_checks) else None

    def by_group(self) -> dict[str, Counter[Verdict]]:
        groups: dict[str, Counter[Verdict]] = {}
        for check in self.all_checks:
            if check in self.verdicts:
                counter = groups.setdefault(check.partition(".")[0], Counter())
                counter[self.verdicts[check]] += 1
        return groups

    def lines(self) -> Iterator[str]:
        """The report at the end of a run."""
        for group, counter in self.by_group().items():
            asked = counter[Verdict.PASSED] + counter[Verdict.FAILED]
            parts = [f"{counter[Verdict.PASSED]:>3} of {asked}"] if asked else []
            parts += [f"{counter[kind]} {kind}" for kind in list(Verdict)[1:] if counter[kind]]
            yield f"  {group:<14}{', '.join(parts):>8}"
        for check, reason in self.reasons.items():
            yield f"  not offered: {check} ({reason})"
        yield f"  {self.summary()} in {self.seconds:.1f} s"

    def summary(self) -> str:
        counts = [f"{self.number_of(kind)} {kind}" for kind in Verdict if self.number_of(kind)]
        return f"{len(self.verdicts)} of {len(self.all_checks)} checks: {', '.join(counts) or 'none run'}"

    def write_badge(self, file: Path) -> None:
        """`file` with the suffixes .svg and .json."""
        file.with_suffix(".svg").write_text(self._svg(), encoding="utf-8")
        file.with_suffix(".json").write_text(json.dumps(self._data(), indent=2) + "\n", encoding="utf-8")

    def _message(self) -> str:
        if self.conforms is None:
            return f"{len(self.verdicts)} of {len(self.all_checks)} checks run"
        passed, failed = self.number_of(Verdict.PASSED), self.number_of(Verdict.FAILED)
        return f"{passed} of {passed + failed} checks"

    def _data(self) -> dict[str, object]:
        return {
            "schemaVersion": 1,
            "label": "Perennial gateway",
            "message": self._message(),
            "color": _COLOURS[self.conforms],
            "gateway": self.gateway,
            "api": ".".join(str(part) for part in API_VERSION),
            "conforms": self.conforms,
            "groups": {group: dict(counter) for group, counter in self.by_group().items()},
            "checks": {check: str(verdict) for check, verdict in self.verdicts.items()},
            "notOffered": self.reasons,
        }

    def _svg(self) -> str:
        label, message = f"Perennial gateway {self.gateway}", self._message()
        left, right = (round(len(text) * _CHAR_PX + 12) for text in (label, message))
        title = escape(f"{label}: {message}")
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
            f'aria-label="{title}"><title>{title}</title>'
            f'<rect width="{left + right}" height="20" rx="3" fill="#333b45"/>'
            f'<path d="M{left} 0h{right - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{right - 3}z" '
            f'fill="{_COLOURS[self.conforms]}"/>'
            '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
            f'<text x="6" y="14" textLength="{left - 12}">{escape(label)}</text>'
            f'<text x="{left + 6}" y="14" textLength="{right - 12}">{escape(message)}</text></g></svg>\n'
        )
