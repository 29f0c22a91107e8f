"""What each function here has to do: the same for all, good or bad."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def work(execute: Callable[[str], object]) -> None:
    """Record a visit; then fail, or run a query that takes a minute, if the file that WORK names says so."""
    execute("INSERT INTO visit (visitor) VALUES (CURRENT_USER())")
    match Path(os.environ["WORK"]).read_text(encoding="utf-8"):
        case "fail":
            raise ValueError("no such customer")
        case "slow":
            # One long SLEEP would look every five seconds whether its client is still there. A scan does not.
            execute("SELECT SUM(SLEEP(0.06)) FROM number")
