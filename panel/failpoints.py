"""Named places where a process may die or an error may strike, so that tests can make it happen exactly there.

Unarmed, `failpoint` does nothing. `PERENNIAL_FAILPOINT=name[:nth][:action]` arms one for a whole process; the action is
`kill` (SIGKILL to itself, the default), `raise` (FailpointError) or `stop` (SIGSTOP).
"""

from __future__ import annotations

import os
import signal
import threading

NAMES = frozenset(
    {
        "charge.before_intent_commit",
        "charge.after_intent_commit",
        "charge.before_http",
        "charge.after_http",
        "charge.before_settle_commit",
        "charge.inside_settle",
        "charge.after_settle_commit",
        "extend.before_intent_commit",
        "extend.before_http",
        "extend.after_http",
        "extend.after_commit",
        "issue.before_commit",
        "issue.after_commit",
        "mail.before_send",
        "mail.after_send",
        "mail.after_commit",
        "suspend.before_commit",
        "suspend.after_commit",
    }
)

_lock = threading.Lock()
_armed: dict[str, tuple[int, str]] = {}


class FailpointError(RuntimeError):
    """Raised at a failpoint armed with the action `raise`."""


def arm(name: str, nth: int = 1, action: str = "kill") -> None:
    """Arms `name` for its `nth` passing. KeyError for a name that no code carries."""
    if name not in NAMES:
        raise KeyError(f"no failpoint is called {name}")
    with _lock:
        _armed[name] = (nth, action)


def disarm() -> None:
    with _lock:
        _armed.clear()


def failpoint(name: str) -> None:
    """Marks a boundary. Costs one dictionary look-up when nothing is armed."""
    if not _armed:
        return
    with _lock:
        if name not in _armed:
            return
        nth, action = _armed[name]
        if nth > 1:
            _armed[name] = (nth - 1, action)
            return
        del _armed[name]
    if action == "raise":
        raise FailpointError(name)
    os.kill(os.getpid(), signal.SIGSTOP if action == "stop" else signal.SIGKILL)


def arm_from_environment() -> None:
    """Arms what PERENNIAL_FAILPOINT asks for, if anything."""
    asked = os.environ.get("PERENNIAL_FAILPOINT")
    if asked:
        name, nth, action = (asked.split(":") + ["1", "kill"])[:3] if ":" in asked else (asked, "1", "kill")
        arm(name, int(nth), action)
