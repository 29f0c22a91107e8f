"""Programs of this project, and the processor time that they and all that they start take."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import dataclass

from local import processes
from settings.project import ROOT


class Failed(Exception):
    """A program failed; the message is the end of what it said."""


@dataclass(frozen=True)
class Cost:
    """What a program took and said."""

    seconds: float
    """Of processor time: none of these waits for anything, and other programs don't change it much."""
    printed: str


def run(module: str, *arguments: str, accepted: tuple[int, ...] = (0,)) -> Cost:
    """Run a module as a program.

    Raises:
        Failed: its exit status is not one of those accepted.
    """
    before = _seconds()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in accepted:
        raise Failed(processes.end_of(done.stderr))
    return Cost(_seconds() - before, done.stdout.strip())


def _seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
