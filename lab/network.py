"""What a network does to connections without telling anybody."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from local.fault_proxy import Action, FaultProxy


def forget(proxies: Iterable[FaultProxy]) -> None:
    """Let nothing pass of the connections that there are; of new ones, everything."""
    for proxy in proxies:
        known: set[int] = set()

        def observe(place: str, known: set[int] = known) -> Action | None:
            # Each connection has a thread of its own.
            if place == "request: connect":
                known.add(threading.get_ident())
            return None if threading.get_ident() in known else "silence"

        proxy.observer = observe


def swallow(proxies: Iterable[FaultProxy]) -> None:
    """Let nothing pass at all."""
    for proxy in proxies:
        proxy.observer = lambda _place: "silence"
