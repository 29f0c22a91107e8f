"""An exercise, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gameday.ground import Ground

Outcome = Literal["passed", "FAILED", "only on AWS", "not run"]
PASSED: Outcome = "passed"
FAILED: Outcome = "FAILED"
ONLY_ON_AWS: Outcome = "only on AWS"
NOT_RUN: Outcome = "not run"


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One thing that is done to the environment, and what has to be seen then."""

    title: str
    done: str
    """What is done, for a reader of the table."""
    minutes: int
    """About how long it takes on AWS; its own bounds are longer."""
    carry_out: Callable[[Ground], str]
    """Does it, undoes it, whatever happens, and returns what was seen.

    Raises gameday.waiting.NotSeen: something else was.
    """
    only_on_aws: str = ""
    """Why the local AWS can't show it; empty if it can."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """A row of the table."""

    title: str
    done: str
    outcome: Outcome
    seen: str = ""
    """What was seen; of what did not pass, why."""
    seconds: float | None = None

    @property
    def good(self) -> bool:
        """Whether it passed, or could not be done here."""
        return self.outcome in (PASSED, ONLY_ON_AWS)
