"""The day: the exercises one after the other, each undone whatever happens, and everything removed at the end."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from gameday import remains
from gameday.exercise import FAILED, NOT_RUN, ONLY_ON_AWS, PASSED, Exercise, Outcome, Result
from gameday.ground import AWS, Ground
from gameday.project import RESTORED
from gameday.waiting import NotSeen

DEPLOYED = Exercise(
    title="Deployed",
    done="an environment like the one that is named, with jobs of its own",
    minutes=25,
    carry_out=lambda ground: ground.begin(),
)
DESTROYED = "Destroyed"
DESTROYED_DONE = "its stacks deleted, and what they leave; then AWS asked what there is of it"
DESTROYED_MINUTES = 40
ROUNDS = 3
"""A run that is at work while everything is removed may write into its log, and so make it, once more."""


@dataclass
class Day:
    """What became of a game day.

    Attributes:
        results: a row for the deploy, for each exercise, and for the end.
        interrupted: whether somebody ended it early.
    """

    results: list[Result] = field(default_factory=list)
    interrupted: bool = False

    @property
    def good(self) -> bool:
        """Whether all passed that this ground can show, and nothing is left."""
        return not self.interrupted and all(each.good for each in self.results)

    @property
    def complete(self) -> bool:
        """Whether nothing was left out."""
        return all(each.outcome != NOT_RUN for each in self.results)


def hold(ground: Ground, exercises: Iterable[Exercise]) -> Day:
    """Deploy the environment of `ground`, carry the exercises out, and remove everything.

    What is not seen is noted, and the next exercise begins. Any other error, and Ctrl-C, end the day early: the
    exercise at work undoes what it did, and everything is removed. An error while that is done is in the last row.
    """
    day, to_do = Day(), [DEPLOYED, *exercises]
    try:
        while to_do:
            ground.progress(f"{to_do[0].title}: {to_do[0].done}")
            result = _result(to_do[0], ground)
            ground.progress(f"{result.title}: {result.outcome}. {result.seen}")
            day.results.append(result)
            del to_do[0]
    except KeyboardInterrupt:
        day.interrupted = True
        ground.progress("Interrupted. Removing everything: that takes its time, and is not interrupted …")
    except Exception as error:  # noqa: BLE001 (whatever it is, what was made has to go)
        day.results.append(_row(to_do.pop(0), FAILED, f"{type(error).__name__}: {error}"))
        ground.progress(f"{day.results[-1].seen}\nThe day ends here. Removing everything …")
    day.results += [_row(each, NOT_RUN, "the day ended before" if day.results else "") for each in to_do]
    day.results.append(_removed(ground))
    return day


def _result(exercise: Exercise, ground: Ground) -> Result:
    if exercise.only_on_aws and ground.where != AWS:
        return _row(exercise, ONLY_ON_AWS, exercise.only_on_aws)
    began = time.monotonic()
    try:
        seen, outcome = exercise.carry_out(ground), PASSED
    except NotSeen as missed:
        seen, outcome = str(missed), FAILED
    return _row(exercise, outcome, seen, time.monotonic() - began)


def _removed(ground: Ground) -> Result:
    began = time.monotonic()
    there: list[str] = []
    try:
        for _ in range(ROUNDS):
            there = [each for name in (f"{ground.name}{RESTORED}", ground.name) for each in _swept(ground, name)]
            if not there:
                break
        seen, outcome = (f"left: {', '.join(there)}", FAILED) if there else ("nothing is left", PASSED)
    except Exception as error:  # noqa: BLE001 (the table says what may be left)
        seen, outcome = f"{type(error).__name__}: {error}; the next game day begins with what is left", FAILED
    ground.progress(f"{DESTROYED}: {seen}")
    return Result(title=DESTROYED, done=DESTROYED_DONE, outcome=outcome, seen=seen, seconds=time.monotonic() - began)


def _swept(ground: Ground, name: str) -> list[str]:
    """Remove an environment, and return what there still is of it."""
    remains.remove(ground.aws, name, kinds=ground.remnants, progress=ground.progress)
    return remains.left(ground.aws, name, kinds=ground.remnants)


def _row(exercise: Exercise, outcome: Outcome, seen: str, seconds: float | None = None) -> Result:
    return Result(title=exercise.title, done=exercise.done, outcome=outcome, seen=seen, seconds=seconds)
