"""What a run would leak into the frozen environment: an inventory before it and one after it, compared."""

from __future__ import annotations

import os
import signal
import threading
from typing import NamedTuple

DESCRIPTORS = "/proc/self/fd"
"""Lambda runs Linux; elsewhere, sockets are not looked at."""


class Inventory(NamedTuple):
    """The threads, sockets and timers of this process at one moment."""

    threads: frozenset[threading.Thread]
    sockets: frozenset[str]
    timer: bool

    @classmethod
    def take(cls) -> Inventory:
        """Return what there is now."""
        return cls(
            threads=frozenset(threading.enumerate()),
            sockets=frozenset(_sockets()),
            timer=signal.getitimer(signal.ITIMER_REAL) != (0.0, 0.0),
        )

    def leaked_since(self) -> list[str]:
        """Return, in words, what was opened since this inventory and is still open; empty if nothing is."""
        now = Inventory.take()
        leaked = [f"thread {thread.name}" for thread in now.threads - self.threads]
        leaked += [f"socket {name}" for name in now.sockets - self.sockets]
        leaked += ["timer"] * (now.timer and not self.timer)
        return sorted(leaked)


def _sockets() -> set[str]:
    names = set()
    for descriptor in os.listdir(DESCRIPTORS) if os.path.isdir(DESCRIPTORS) else ():
        try:
            target = os.readlink(f"{DESCRIPTORS}/{descriptor}")
        except OSError:
            continue  # the descriptor of this listing itself
        if target.startswith("socket:"):
            names.add(target)
    return names
