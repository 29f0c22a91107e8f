"""The environment that `make run KEEP=1` keeps up, as other commands find it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from settings.project import ROOT

STATE = ROOT / ".cache" / "kept.json"


class NothingKept(Exception):
    """No environment is kept; the message says how to start one."""

    def __init__(self) -> None:
        """The same message for everyone."""
        super().__init__("no environment is up: start one in another terminal with `make run KEEP=1`")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What the commands of another terminal have to know. No secret is in it."""

    pid: int
    """The program that keeps it up."""
    folder: str
    """Logs, templates, and the administrator's login."""
    environment: str
    """The name of its file in environments/."""
    variables: Mapping[str, str]
    """The environment variables of the deployed migrate function, and what it needs to take the emulator for AWS."""


@contextmanager
def kept(*, folder: Path, environment: str, variables: Mapping[str, str]) -> Iterator[None]:
    """Let other commands find this environment while the block runs; of several, they find the latest."""
    mine = Kept(pid=os.getpid(), folder=str(folder), environment=environment, variables=variables)
    STATE.parent.mkdir(exist_ok=True)
    STATE.write_text(json.dumps(asdict(mine)))
    try:
        yield
    finally:
        if _read() == mine:
            STATE.unlink()


def find() -> Kept:
    """Return the environment that is kept.

    Raises:
        NothingKept: there is none.
    """
    found = _read()
    if found is None or not Path(f"/proc/{found.pid}").exists():
        raise NothingKept
    return found


def _read() -> Kept | None:
    try:
        return Kept(**json.loads(STATE.read_text()))
    except FileNotFoundError:
        return None
