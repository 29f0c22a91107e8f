"""How many connections each pattern keeps open on the server, freeze after freeze, when some runs fail."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from lab.bench import PYTHON, Bench, Function, Work, each
from lab.observation import Event, Held
from lab.situations import Pace

MODULES = (
    "module_level",
    "module_level_ping",
    "sqlalchemy_pool",
    "per_run_no_finally",
    "close_in_finally",
    "ours",
)
"""Each of the other patterns holds as many connections as one of these."""
STEPS: tuple[Work, ...] = ("do", "do", *("fail",) * 10, "do", "do")


@dataclass(frozen=True, kw_only=True)
class History:
    """The connections that each pattern held, and when runs happened, on one clock."""

    held: tuple[Held, ...]
    marks: tuple[Event, ...]


def history(bench: Bench, pace: Pace) -> History:
    """Run all patterns at the same moments; count, at the end of each freeze, what was open during it."""
    patterns = [pattern for pattern in PYTHON if pattern.module in MODULES]
    marks, frozen, counts = [], [], []
    with ExitStack() as stack:
        functions = [stack.enter_context(bench.function(pattern)) for pattern in patterns]
        began = time.monotonic()
        for work in STEPS:
            marks.append(_mark(began, "fails" if work == "fail" else "runs"))
            each(partial(Function.invoke, work=work), functions)
            frozen.append(round(time.monotonic() - began, 2))
            time.sleep(pace.between_runs_seconds)
            counts.append(bench.sessions())
        marks.append(_mark(began, "end"))
    return History(
        held=tuple(
            Held(
                language="Python",
                pattern=function.pattern.name,
                seconds=tuple(frozen),
                connections=tuple(count.get(function.user, 0) for count in counts),
            )
            for function in functions
        ),
        marks=tuple(marks),
    )


def _mark(began: float, text: str) -> Event:
    return Event(seconds=round(time.monotonic() - began, 2), actor="function", text=text)
