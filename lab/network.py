"""Silent failures of a network: packets are dropped, and neither side is told."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from lab.fault_proxy import Action, FaultProxy


def forget(proxies: Iterable[FaultProxy]) -> None:
    """Drop all packets of the connections that exist now; pass those of new ones."""
    for proxy in proxies:
        known: set[int] = set()

        def observe(place: str, known: set[int] = known) -> Action | None:
            # Each connection has a thread of its own.
            if place == "request: connect":
                known.add(threading.get_ident())
            return None if threading.get_ident() in known else "silence"

        proxy.observer = observe


def swallow(proxies: Iterable[FaultProxy]) -> None:
    """Drop all packets."""
    for proxy in proxies:
        proxy.observer = lambda _place: "silence"
