"""The lock files: a hash for everything, and no address, so that any index or mirror will do."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted(ROOT.glob("requirements*.txt"))


def locked_entries(lock: Path) -> list[str]:
    text = re.sub(r"^#.*\n", "", lock.read_text(), flags=re.MULTILINE)
    return [entry for entry in re.split(r"(?<!\\)\n", text) if entry.strip()]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_requirement_is_one_version_with_hashes(lock: Path) -> None:
    entries = locked_entries(lock)
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9][a-z0-9._-]*==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


@pytest.mark.parametrize("lock", [*LOCKS, ROOT / "package-lock.json"], ids=lambda lock: lock.name)
def test_no_lock_names_an_address(lock: Path) -> None:
    # The addresses in package-lock.json's funding notes are not where anything is fetched from.
    text = re.sub(r'"funding": \{[^}]*\}', "", lock.read_text())
    assert "://" not in text
    assert "index-url" not in text
    assert "find-links" not in text


def test_what_runs_and_what_is_tested_are_the_same_versions() -> None:
    tested = set(locked_entries(ROOT / "requirements-test.txt"))
    assert set(locked_entries(ROOT / "requirements.txt")) <= tested


def test_npm_packages_are_locked_by_hash_without_address() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    fetched = {path: entry for path, entry in packages.items() if path}
    assert {"node_modules/htmx.org", "node_modules/@tabler/core"} <= set(fetched)
    for path, entry in fetched.items():
        assert entry["integrity"].startswith("sha512-"), path
        assert "resolved" not in entry, path


def test_htmx_stays_on_its_second_major_version() -> None:
    wanted = json.loads((ROOT / "package.json").read_text())["dependencies"]
    assert re.fullmatch(r"2\.0\.\d+", wanted["htmx.org"])
