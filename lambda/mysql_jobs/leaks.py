"""What a run would leak into the frozen environment: an inventory before it and one after it, compared."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from typing import NamedTuple

DESCRIPTORS = "/proc/self/fd"
"""Lambda runs Linux; elsewhere, descriptors are not looked at."""


class Inventory(NamedTuple):
    """The threads, sockets, pipes and timers of this process at one moment."""

    threads: frozenset[threading.Thread]
    descriptors: Counter[str]
    """But those of files and devices, which no other side waits for. Counted: all epolls have one name."""
    timer: bool

    @classmethod
    def take(cls) -> Inventory:
        """Return what there is now."""
        return cls(
            threads=frozenset(threading.enumerate()),
            descriptors=Counter(_descriptors()),
            timer=signal.getitimer(signal.ITIMER_REAL) != (0.0, 0.0),
        )

    def leaked_since(self) -> list[str]:
        """Return, in words, what was opened since this inventory and is still open; empty if nothing is."""
        now = Inventory.take()
        leaked = [f"thread {thread.name}" for thread in now.threads - self.threads]
        leaked += [_kind(name) for name in set(now.descriptors - self.descriptors)]
        leaked += ["timer"] * (now.timer and not self.timer)
        return sorted(leaked)


def _kind(name: str) -> str:
    """Return a descriptor in words: socket socket:[4711], pipe pipe:[4712], anon_inode [eventpoll]."""
    kind, _, rest = name.partition(":")
    return f"{kind} {name if rest.strip('[]').isdigit() else rest}"


def _descriptors() -> list[str]:
    names = []
    for descriptor in os.listdir(DESCRIPTORS) if os.path.isdir(DESCRIPTORS) else ():
        try:
            target = os.readlink(f"{DESCRIPTORS}/{descriptor}")
        except OSError:
            continue  # the descriptor of this listing itself
        if not target.startswith("/"):
            names.append(target)
    return names
