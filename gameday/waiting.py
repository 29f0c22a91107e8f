"""Waiting for what AWS does in its own time, never without a bound."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

Seen = TypeVar("Seen")


class NotSeen(Exception):
    """What an exercise expects did not happen; the message says what was seen instead."""


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def until(what: str, look: Callable[[], Seen | None], *, seconds: float, every: float = 10) -> Seen:
    """Return the first answer of `look` that is something: not None, False, nor empty.

    Raises:
        NotSeen: there was none within `seconds`; the message names `what` was waited for.
    """
    end = time.monotonic() + seconds
    while True:
        if seen := look():
            return seen
        if time.monotonic() + every > end:
            raise NotSeen(f"no {what} within {_spoken(seconds)}")
        time.sleep(every)


def require(seen: object, otherwise: str) -> None:
    """Go on only if it was `seen`.

    Raises:
        NotSeen: it was not, with the message `otherwise`.
    """
    if not seen:
        raise NotSeen(otherwise)


def _spoken(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} s"
