"""What is built: the wheel carries the assets, and the repository carries nobody else's code."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILT_FROM = ["panel", "gateways", "hatch_build.py", "pyproject.toml", "package.json", "package-lock.json"]
BUILT_FROM += ["LICENSE", "README.md", ".gitignore"]


def tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git repository: an unpacked source archive")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def copy_of_the_sources(folder: Path) -> Path:
    made = shutil.ignore_patterns("vendor", "*.mo", "__pycache__")
    for name in BUILT_FROM:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=made)
        else:
            shutil.copy(source, folder / name)
    return folder


def build_wheel(sources: Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    # Without isolation: the build requirements are locked and installed beside the tests.
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", "dist"]
    return subprocess.run(
        command, cwd=sources, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_nothing_minified_or_fetched_is_committed() -> None:
    for path in tracked_files():
        name = path.relative_to(ROOT).as_posix()
        assert "/vendor/" not in name
        assert "node_modules" not in name
        assert ".min." not in path.name, name
        if path.suffix in {".js", ".css"}:
            longest = max((len(line) for line in path.read_text().splitlines()), default=0)
            assert longest < 500, f"{name} has a line of {longest} characters"


def test_a_wheel_carries_htmx_tabler_their_licences_and_every_catalogue(tmp_path: Path) -> None:
    sources = copy_of_the_sources(tmp_path)
    build = build_wheel(sources)
    assert build.returncode == 0, build.stderr
    (wheel,) = (sources / "dist").glob("perennial-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        assert b"htmx" in archive.read("panel/static/vendor/htmx.min.js")
        assert b"Tabler" in archive.read("panel/static/vendor/tabler.min.css")
        assert b"Tabler" in archive.read("panel/static/vendor/tabler.min.js")
        notices = archive.read("panel/static/vendor/LICENSES.txt").decode()
    for package in ("htmx.org", "@tabler/core", "@popperjs/core", "Permission is hereby granted"):
        assert package in notices
    for catalogue in (ROOT / "panel").glob("translations/*/LC_MESSAGES/*.po"):
        assert catalogue.with_suffix(".mo").relative_to(ROOT).as_posix() in names


def test_a_wheel_that_cannot_have_its_assets_is_not_built(tmp_path: Path) -> None:
    sources = copy_of_the_sources(tmp_path)
    lock = sources / "package-lock.json"
    lock.write_text(lock.read_text().replace('"sha512-', '"sha512-AAAA'))
    build = build_wheel(sources, {**os.environ, "npm_config_cache": str(tmp_path / "cache")})
    assert build.returncode != 0
    assert "htmx and Tabler can't be fetched; npm says:" in build.stderr
    assert not list(sources.glob("dist/*.whl"))
    assert not (sources / "panel/static/vendor/.stamp").exists()
