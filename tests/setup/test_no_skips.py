"""In CI a skipped test is a failed one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SKIPS = "import pytest\n\ndef test_page():\n    pytest.skip('no Chromium')\n"
SKIPS_ALL = "import pytest\n\npytest.skip('no PostgreSQL', allow_module_level=True)\n"


@pytest.mark.parametrize(("text", "reason"), [(SKIPS, "no Chromium"), (SKIPS_ALL, "no PostgreSQL")])
def test_a_skip_fails_only_where_none_is_allowed(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "test_skipping.py").write_text(text)
    (tmp_path / "test_passing.py").write_text("def test_passes():\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.setup.no_skips", "-q", str(tmp_path)]
    command += ["--rootdir", str(tmp_path), "--config-file", os.devnull]
    outcomes = {}
    for allowed in ("", "1"):
        environment = {**os.environ, "PERENNIAL_NO_SKIP": allowed}
        answer = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        outcomes[allowed] = answer.returncode
        assert reason in answer.stdout or not allowed
    assert outcomes[""] == 0
    assert outcomes["1"] in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
