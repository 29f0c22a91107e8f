"""Background programs: started in a session of their own, and ended with what they started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_children: dict[int, subprocess.Popen[bytes]] = {}


def start(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that Ctrl-C here does not reach it; `log` gets its output.

    `environment` replaces this process's own when it is given. End the program with `stop(process.pid)`; if that does
    not come to pass, the guardian of this command does (local/guardian.py).

    Raises:
        OSError: there is no such program, or the log cannot be written.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=cwd,
            start_new_session=True,
        )
        _children[process.pid] = process
    return process


@contextmanager
def none_left() -> Iterator[None]:
    """Whatever happens in the block, end what it started and did not stop."""
    before = set(_children)
    try:
        yield
    finally:
        for pid in set(_children) - before:
            stop(pid)


def stop(pid: int, *, patience: float = 20) -> None:
    """End a program that `start` started, in this command or an earlier one, and what it started in turn.

    It is asked to end, given `patience` seconds to do so, and killed then. One that is gone already is fine.
    """
    if not _gone(pid):
        _signal(os.kill, pid, signal.SIGTERM)
        _signal(os.kill, pid, signal.SIGCONT)  # a frozen process sees no signal but SIGKILL before it is thawed
        _wait(pid, patience)
    # The program leads a process group that has its id: what is left of the group is killed.
    _signal(os.killpg, pid, signal.SIGKILL)
    _wait(pid, patience)
    _children.pop(pid, None)


@dataclass(frozen=True)
class TcpSocket:
    """A TCP socket as the kernel lists it: addresses and ports in hexadecimal, the state as a number."""

    local: str
    remote: str
    state: str


def tcp_sockets(pid: int) -> list[TcpSocket]:
    """Return the TCP sockets that a program holds.

    Linux only: https://www.kernel.org/doc/Documentation/networking/proc_net_tcp.txt.
    """
    own = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            own.add(link.readlink().name)
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return [TcpSocket(row[1], row[2], row[3]) for row in rows if f"socket:[{row[9]}]" in own]


def listening(pid: int) -> set[str]:
    """Return the TCP addresses that a program listens on: 127.0.0.1:3306, or another as the kernel writes it."""
    found = set()
    for each in tcp_sockets(pid):
        if each.state == "0A":
            address, port = each.local.split(":")
            found.add(f"{'127.0.0.1' if address == '0100007F' else address}:{int(port, 16)}")
    return found


def output(*command: str, seconds: float | None = 60) -> str:
    """Run a command, for at most `seconds`, and return what it writes to either stream.

    Raises:
        subprocess.SubprocessError: it ended with an error, or took longer.
    """
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=seconds,
        check=True,
    ).stdout


def end_of(log: str) -> str:
    """Return the last lines of a log, where the reason usually is."""
    return "\n".join(log.splitlines()[-20:])


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(pid: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not _gone(pid) and time.monotonic() < deadline:
        time.sleep(0.02)


def _signal(send: Callable[[int, int], None], pid: int, number: signal.Signals) -> None:
    # PermissionError: the id belongs to another user's process by now, so ours is gone.
    with suppress(ProcessLookupError, PermissionError):
        send(pid, number)


def _gone(pid: int) -> bool:
    if pid in _children:
        return _children[pid].poll() is not None
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return True
    return _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    # In a container whose first process reaps nothing, an orphan that has ended keeps its id for ever.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except OSError:
        return False
