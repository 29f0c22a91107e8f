"""Nothing of a command outlives it: its guardian kills what the command started, and removes its files.

A command that is killed cannot clean up, so a process of its own does it, when the command has ended in whatever way.
PR_SET_PDEATHSIG in the programs would not do: it ends a program with the *thread* that started it, and nothing that
the program started. https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

MARK = "GUARDED_BY"
"""The environment variable that tells what a command started, and what that started in turn.

It lists the folders of all commands around it, as a test's `make run` is guarded for itself and for the tests.
"""
ALSO_REMOVED = "also_removed"
"""A file in a guarded folder: what is removed with the folder though it is elsewhere, one path a line."""
KILL_SECONDS = 30.0
"""How long what was killed may take to be gone: a generous bound, it takes milliseconds."""


@contextmanager
def guarded() -> Iterator[Path]:
    """Make a folder that is the temporary folder in the block, also of all programs that are started there.

    At the end of the block, or of this process, those that still run are killed, and the folder is removed. Only Linux
    lists programs by their environment: elsewhere those that still run stay.
    """
    folder = Path(tempfile.gettempdir(), f"mysql-jobs-{secrets.token_hex(4)}")
    # The kernel closes `held` when this process ends: no program inherits it.
    awaited, held = os.pipe()
    # A session of its own keeps Ctrl-C and the end of the terminal away.
    guardian = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, str(folder)], stdin=awaited, start_new_session=True
    )
    os.close(awaited)
    try:
        folder.mkdir(mode=0o700)
        with _temporary_folder(folder):
            yield folder
    finally:
        os.close(held)
        guardian.wait()


def mark() -> Mapping[str, str]:
    """Return what a program's environment must hold to be guarded, if it is not a copy of this process's."""
    return {MARK: os.environ[MARK]} if MARK in os.environ else {}


@contextmanager
def _temporary_folder(folder: Path) -> Iterator[None]:
    variables = {"TMPDIR": str(folder), MARK: os.pathsep.join([*mark().values(), str(folder)])}
    before = {name: os.environ.get(name) for name in variables}, tempfile.tempdir
    os.environ |= variables
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        outer, tempfile.tempdir = before
        for name, value in outer.items():
            del os.environ[name]
            os.environ |= {} if value is None else {name: value}


def _guard(folder: Path) -> None:
    """Wait for the end of the process at the other end of standard input, and clean up after it."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # a container that stops sends them to all its processes
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.read()
    deadline = time.monotonic() + KILL_SECONDS
    while _kill_marked(folder) and time.monotonic() < deadline:
        time.sleep(0.01)
    with suppress(FileNotFoundError):
        for path in (folder / ALSO_REMOVED).read_text().splitlines():
            shutil.rmtree(path, ignore_errors=True)
    with suppress(FileNotFoundError):  # it ended before it made it
        shutil.rmtree(folder)


def _kill_marked(folder: Path) -> bool:
    """Kill every program that was started with `folder` in its mark; return whether there was one."""
    found = False
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            handle = os.pidfd_open(int(process.name))  # unlike its id, this never becomes another's
            try:
                if str(folder) in _mark_of((process / "environ").read_bytes()):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    found = True
            finally:
                os.close(handle)
    return found


def _mark_of(environment: bytes) -> list[str]:
    start = f"{MARK}=".encode()
    found = (each for each in environment.split(b"\0") if each.startswith(start))
    return os.fsdecode(next(found, b"").removeprefix(start)).split(os.pathsep)


if __name__ == "__main__":
    _guard(Path(sys.argv[1]))
