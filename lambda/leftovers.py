"""What a run would leave in the frozen environment: asked before it and after it, the difference is its leftovers."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

DESCRIPTORS = Path("/proc/self/fd")
"""Lambda runs Linux; elsewhere, sockets are not looked at."""


@dataclass(frozen=True)
class Inventory:
    """The threads, sockets and timers of this process."""

    threads: frozenset[threading.Thread]
    sockets: frozenset[str]
    timer: bool

    @classmethod
    def take(cls) -> Inventory:
        """What there is now."""
        return cls(
            threads=frozenset(threading.enumerate()),
            sockets=frozenset(_sockets()),
            timer=signal.getitimer(signal.ITIMER_REAL) != (0.0, 0.0),
        )

    def left_since(self) -> list[str]:
        """What has come since this inventory was taken and is still there, in words; empty if nothing is left."""
        now = Inventory.take()
        left = [f"thread {thread.name}" for thread in now.threads - self.threads]
        left += [f"socket {name}" for name in now.sockets - self.sockets]
        left += ["timer"] * (now.timer and not self.timer)
        return sorted(left)


def _sockets() -> set[str]:
    names = set()
    for descriptor in os.listdir(DESCRIPTORS) if DESCRIPTORS.is_dir() else ():
        try:
            target = os.readlink(DESCRIPTORS / descriptor)
        except OSError:
            continue  # the descriptor of this listing itself
        if target.startswith("socket:"):
            names.add(target)
    return names
