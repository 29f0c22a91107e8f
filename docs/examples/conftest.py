"""The examples as a project of their own, with its packages: what a team has that copies them."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

import pytest

from local.made_once import made_once
from packages.locks import read_lock
from packages.requirements import PackagesError
from packages.target import FUNCTION, HERE
from packages.tools.fetch import fetch
from packages.tools.pip import PipFailed
from packages.wheels import LockedWheel
from settings.project import ROOT, Project

EXAMPLES = Project(Path(__file__).parent)
UNPACKED = ROOT / ".cache" / "examples"
"""Of this machine's wheels; kept, as it takes a while."""


@pytest.fixture(scope="session")
def project() -> Project:
    """The examples, in place of the checkout's own jobs."""
    _fetch()
    for wheel in _wheels_for_here():
        folder = str(made_once(UNPACKED, wheel.sha256, wheel.unpack))
        if folder not in sys.path:
            sys.path.append(folder)
    return EXAMPLES


@pytest.fixture(scope="session")
def pyarrow(project: Project) -> Path:
    """Where pyarrow is, unpacked, which no other part of this project has."""
    [wheel] = [each for each in _wheels_for_here() if each.package == "pyarrow"]
    return UNPACKED / wheel.sha256


def _fetch() -> None:
    """Fetch what is not in .venv/wheels yet: `make setup` spares a team these 100 MB."""
    UNPACKED.mkdir(parents=True, exist_ok=True)
    with (UNPACKED / "fetching.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # against the other processes of pytest-xdist
        try:
            for target in (FUNCTION, HERE):
                fetch(EXAMPLES.jobs, target)
        except PackagesError as error:
            # Without an index, all else can be tested. Other wheels than the locked ones are no reason.
            if os.environ.get("CI") or not isinstance(error.__cause__, PipFailed) or "DO NOT MATCH" in str(error):
                raise
            pytest.skip(f"the packages of the examples can't be fetched here: {error}")


def _wheels_for_here() -> list[LockedWheel]:
    """Each once: what several locks have is the same wheel."""
    locks = [read_lock(file)[1].get(HERE.name, ()) for file in sorted(EXAMPLES.jobs.glob("*.lock"))]
    return list({wheel.sha256: wheel for wheels in locks for wheel in wheels}.values())
