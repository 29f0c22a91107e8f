"""The examples as a project of their own, with its packages: what a team has that copies them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from packages.locks import read_lock
from packages.target import FUNCTION, HERE
from packages.tools.fetch import fetch
from settings.project import ROOT, Project

EXAMPLES = Project(Path(__file__).parent)
UNPACKED = ROOT / ".cache" / "examples"
"""Of this machine's wheels; kept, as it takes a while."""


@pytest.fixture(scope="session")
def project() -> Project:
    """The examples, in place of the checkout's own jobs."""
    for target in (FUNCTION, HERE):  # what is not in .venv/wheels yet: `make setup` spares a team 100 MB of it
        fetch(EXAMPLES.jobs, target)
    _let_import()
    return EXAMPLES


def _let_import() -> None:
    """Let this process import what the examples' locks have for this machine."""
    locked = [read_lock(file)[1].get(HERE.name, ()) for file in sorted(EXAMPLES.jobs.glob("*.lock"))]
    for wheel in {wheel for wheels in locked for wheel in wheels}:
        folder = UNPACKED / wheel.sha256[:16]
        if not (folder / "ready").is_file():
            wheel.unpack(folder)
            (folder / "ready").touch()
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
