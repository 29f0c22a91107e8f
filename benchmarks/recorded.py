"""How long the suite takes: it is measured when asked for (`make bench SUITE=1`), and remembered until then."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import Line
from settings.project import ROOT

SUITES = {"unit": ("unit + snapshots (make unit)", 25.0), "test": ("make test", 360.0)}
"""By the target of the Makefile: what it is called, and how many seconds it may take on two idle cores."""


class SuiteFailed(Exception):
    """A test failed; the message is the end of what was said."""


def record(file: Path, *, progress: Callable[[str], None]) -> None:
    """Run the suite and put what it takes into `file`, as JSON.

    Raises:
        SuiteFailed: a test failed, so it is not known how long it takes.
    """
    seconds = {}
    for target in SUITES:
        progress(f"make {target} …")
        started = time.monotonic()
        done = subprocess.run(["/usr/bin/env", "make", target], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SuiteFailed(f"make {target}:\n{done.stdout[-2000:]}{done.stderr[-500:]}")
        seconds[target] = round(time.monotonic() - started, 1)
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"date": f"{datetime.now(UTC):%Y-%m-%d}", "seconds": seconds}, indent=1) + "\n")


def lines(file: Path) -> list[Line]:
    """Return the lines about the suite, as `record` has put them into `file`."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"seconds": {}}
    return [
        Line(
            subject=subject,
            unit="s",
            ours=known["seconds"].get(target),
            bar=bar,
            note=f"measured {known['date']}" if target in known["seconds"] else "make bench SUITE=1 measures it",
        )
        for target, (subject, bar) in SUITES.items()
    ]
