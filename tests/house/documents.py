"""What the documents say that can be checked: links, walks, commands, settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.house.source import ROOT

README = ROOT / "README.md"
DOCUMENTS = (README, ROOT / "CHANGELOG.md", ROOT / "plugins/README.md", *sorted((ROOT / "docs").glob("*.md")))

# [shown](path) `name()`: a file, and what it defines.
_MENTION = re.compile(
    r"\[(?P<shown>[^\]]+)\]\((?P<path>[^)#\s]+)\)(?: `(?P<name>[A-Za-z_][\w.]*)(?:\(\))?`)?"
)
_STEP = re.compile(rf"^(?P<indent> *)- {_MENTION.pattern}: ")


@dataclass(frozen=True)
class Step:
    """One line of the walk: a file, what of it is meant (None: a template), and how deep the line is indented."""

    path: Path
    name: str | None
    depth: int

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)} {self.name or ''}".strip()


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def section(document: Path, heading: str) -> str:
    """The text under a heading that begins so, to the next heading of its level or above."""
    level, _, _ = heading.partition(" ")
    lines = iter(text_of(document).splitlines())
    for line in lines:
        if line.startswith(heading):
            break
    taken: list[str] = []
    for line in lines:
        if re.match(rf"#{{1,{len(level)}}} ", line):
            break
        taken.append(line)
    assert taken, f"{document.name} has no section {heading}"
    return "\n".join(taken)


def links(document: Path) -> Iterator[tuple[str, str | None]]:
    """Every link to a file of ours, with the name that is said of it, if any."""
    for found in _MENTION.finditer(text_of(document)):
        if "://" not in found["path"]:
            yield found["path"], found["name"]


def steps(walk: str) -> list[Step]:
    found = [match for line in walk.splitlines() if (match := _STEP.match(line))]
    return [Step(ROOT / match["path"], match["name"], len(match["indent"]) // 2) for match in found]


def calls(walk: str) -> Iterator[tuple[Step, Step]]:
    """Each step with the one that it is indented under."""
    above: list[Step] = []
    for step in steps(walk):
        del above[step.depth :]
        assert len(above) == step.depth, f"{step} is indented too far"
        if above:
            yield above[-1], step
        above.append(step)


def code_of(document: Path) -> Iterator[str]:
    """Each line in a block of code, and each piece of code within a line; without comments."""
    text = text_of(document)
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.S | re.M):
        yield from (re.sub(r"\s+#.*", "", line).strip() for line in block.splitlines())
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))
