"""Each promise of the model would be missed: the engine is broken on purpose, and the histories notice it each time.

A variant that nobody notices fails its test: then the model promises less than docs/runs.md does, or it holds nothing
that can be observed.
"""

import inspect
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from mysql_jobs import claim, continuation, ledger, request, run, timetable, watch
from tests.mysql_jobs.histories import QUICK, Histories


class Variant(NamedTuple):
    """The engine with a few words of one of its modules changed."""

    name: str
    module: ModuleType
    words: str
    """They are there once."""
    instead: str


VARIANTS = [
    # What a run may claim.
    Variant("a partial window is not continued", claim, 'if last.outcome == "partial":', "if False:"),
    Variant("a partial window is begun anew", claim, "progress=last.progress", "progress={}"),
    Variant("a partial window gets another row", claim, "sequence=last.sequence", "sequence=None"),
    Variant(
        "a partial window grows to the next time",
        claim,
        "Claim(window=last.window, progress=last",
        "Claim(window=last.window._replace(end=time), progress=last",
    ),
    Variant("a chain that was taken over goes on", claim, "if request.continued is not None and", "if False and"),
    Variant("every continuation is superseded", claim, "and request.execution_id != last.execution_id", ""),
    Variant("a scheduled time takes over from nobody", claim, "if request.continued is not None and", "if"),
    Variant(
        "a duplicate works again",
        claim,
        'request.scheduled_time == last.window.end and last.outcome != "partial"',
        "False",
    ),
    Variant("a partial window is a duplicate", claim, ' and last.outcome != "partial"', ""),
    Variant("a late delivery works", claim, "if request.scheduled_time < last.window.end:", "if False:"),
    Variant("a late duplicate is superseded", claim, '"superseded" if own is None else "duplicate"', '"superseded"'),
    Variant("a late delivery is a duplicate", claim, '"superseded" if own is None else "duplicate"', '"duplicate"'),
    Variant(
        "a window by hand joins the sequence",
        claim,
        "    if request.window is not None:\n        return _by_hand(request.window, own)\n",
        "",
    ),
    Variant("a window by hand is done again", claim, 'if own.outcome == "done":', "if False:"),
    Variant("a partial window by hand is a duplicate", claim, 'if own.outcome == "done":', "if True:"),
    Variant("the first window is one interval", claim, 'if terms.catch_up == "none" else longest', ""),
    Variant(
        "the first window is the longest",
        claim,
        "return max(longest, terms.times.before(time) or longest)",
        "return longest",
    ),
    Variant("the first window is longer than the longest", claim, "return max(", "return min("),
    Variant(
        "windows leave a gap",
        claim,
        "return _next(last.window.end,",
        "return _next(last.window.end + terms.max_window / 9,",
    ),
    Variant("windows overlap", claim, "return _next(last.window.end,", "return _next(last.window.start,"),
    Variant("a window is longer than the longest", claim, "min(time, start + terms.max_window)", "time"),
    Variant(
        "a window is shorter than the longest", claim, "start + terms.max_window)", "start + terms.max_window / 3)"
    ),
    Variant("latest is treated as all", claim, 'case "all":', 'case "all" | "latest":'),
    Variant("none skips nothing", claim, "if due > start:", "if False:"),
    Variant("none skips too much", claim, "terms.times.before(time) or start", "time - time.resolution"),
    Variant(
        "none skips the interval before, too",
        claim,
        "Window(start=start, end=due), due",
        "Window(start=start, end=due), time",
    ),
    Variant("none repeats an interval", claim, "if due > start:", "if due != start:"),
    Variant("all skips, too", claim, 'case "none":', 'case "none" | "latest":'),
    # How the ledger uses a claim.
    Variant("what is skipped is not written", ledger, "if claim.skipped is None or self._recorded:", "if True:"),
    Variant(
        "what is skipped is written each time",
        ledger,
        "claim.skipped is None or self._recorded",
        "claim.skipped is None",
    ),
    Variant("what is skipped counts as done", ledger, '"outcome": "skipped"', '"outcome": "done"'),
    Variant("a number of a row is used again", ledger, "claim.sequence or highest + self._rows", "claim.sequence or 1"),
    Variant(
        "rows by hand are not counted",
        ledger,
        "claim.sequence or highest + self._rows",
        "claim.sequence or (last.sequence if last else 0) + self._rows",
    ),
    Variant(
        "the first row is the last",
        ledger,
        'scheduled_time IS NOT NULL"\n            " ORDER BY sequence DESC',
        'scheduled_time IS NOT NULL"\n            " ORDER BY sequence',
    ),
    Variant("a row by hand is the last", ledger, "AND scheduled_time IS NOT NULL", "AND TRUE"),
    Variant(
        "a row does not say who wrote it last",
        ledger,
        '"execution_id": self._request.execution_id,\n            "outcome": outcome',
        '"outcome": outcome',
    ),
    Variant(
        "a window by hand is found by its time",
        ledger,
        "if self._request.window is not None:\n            own,",
        "if False:\n            own,",
    ),
    Variant(
        "a row does not say that it is in the sequence",
        ledger,
        '"scheduled_time": None if by_hand else',
        '"scheduled_time": None if True else',
    ),
    Variant("the row is not written", ledger, "*self._skipped(claim), self._written(", "self._written("),
    Variant("a later checkpoint writes another row", ledger, "        self._recorded = True\n", ""),
    Variant("the lock is not required any more", ledger, "self._lock.required(), ", ""),
    Variant("the lock is not heeded", ledger, "self._lock.take(self._read())", "self._lock.take(self._read()) or []"),
    Variant(
        "progress is not recorded", ledger, '"progress": json.dumps(progress) if progress else None', '"progress": None'
    ),
    Variant("how long a run took is not recorded", ledger, "round((time.monotonic() - self._started) * 1000)", "0"),
    # The run.
    Variant(
        "a run that is out of time says done",
        run,
        "if self._ended:\n            return Outcome",
        "if False:\n            return Outcome",
    ),
    Variant(
        "a run goes on when its time is over",
        run,
        "if self.deadline.remaining() < 2 * self._longest_batch:",
        "if False:",
    ),
    Variant(
        "a dry run commits",
        run,
        "if self.dry_run:\n            self._connection.rollback()",
        "if False:\n            self._connection.rollback()",
    ),
    # What follows.
    Variant(
        "a partial window is not followed", continuation, 'if outcome.word == "partial":\n        return request', ""
    ),
    Variant(
        "a window that is not level is not followed",
        continuation,
        "if claim.window.end < due else None",
        "if False else None",
    ),
    Variant("a window that is level is followed", continuation, "claim.window.end < due", "claim.window.end <= due"),
    Variant(
        "a continuation is for no later time",
        continuation,
        "timetable.latest(now, since=request.scheduled_time)",
        "request.scheduled_time",
    ),
    Variant(
        "the target ignores what has come meanwhile",
        continuation,
        "timetable.latest(now,",
        "timetable.latest(request.scheduled_time,",
    ),
    Variant("progress is not compared", continuation, " and outcome.progress == claim.progress", " and False"),
    Variant("every partial run is stuck", continuation, " and outcome.progress == claim.progress", ""),
    Variant("a continuation ignores the hours", continuation, "if now - continued.since >= most:", "if False:"),
    Variant(
        "a continuation begins when the hours are over",
        continuation,
        "continued.since >= most",
        "continued.since > most",
    ),
    Variant("hours begin anew with each continuation", continuation, "before.since, number", "now, number"),
    Variant(
        "hours go on for another scheduled time",
        continuation,
        "Continued(since=now, number=1)",
        "request.continued or Continued(since=began, number=1)",
    ),
    Variant(
        "hours begin when the first run has ended",
        continuation,
        "Continued(since=began, number=0)",
        "Continued(since=now, number=0)",
    ),
    Variant("continuations are not counted", continuation, "before.number + 1", "1"),
    Variant(
        "work that is left is not said to be",
        continuation,
        "most:\n        return Following(event=None, stuck=True)",
        "most:\n        return NOTHING",
    ),
    Variant("a dry run is followed", continuation, 'if outcome.word == "dry_run":', "if False:"),
    Variant(
        "a window by hand is followed by the sequence", continuation, "if request.window is not None:", "if False:"
    ),
    Variant("a continuation has no place in its chain", request, 'event["continued"] = ', "_ = "),
    Variant(
        "a continuation by hand has another id",
        request,
        '"execution_id": self.execution_id}',
        '"execution_id": f"{self.scheduled_time}"}',
    ),
    Variant("a time in the future is not refused", request, "EPOCH <= time <= now + CLOCK_SKEW", "EPOCH <= time"),
    # The times.
    Variant("before a time is the time", timetable, "before=time)", "before=time + SHORTEST_INTERVAL)"),
    Variant("a rate counts from midnight", timetable, 'if self.expression.startswith("rate("):', "if False:"),
    Variant(
        "a rate's latest time is the next one",
        timetable,
        "return now - (now - since)",
        "return now + rate_interval(self.expression) - (now - since)",
    ),
    Variant("a rate's latest time is now", timetable, "(now - since) % rate_interval(self.expression)", "timedelta(0)"),
    Variant(
        "a cron's latest time may be before what is known",
        timetable,
        "max([since, *latest_times(",
        "max([*latest_times(",
    ),
    # What the watcher says.
    Variant("missed ignores since when", watch, "if due > known.since and", "if"),
    Variant(
        "missed goes by silence and not by the times",
        watch,
        'if job.timetable.expression.startswith("rate(")',
        "if True",
    ),
    Variant("missed forgets the allowance", watch, "now=now - job.allowance", "now=now"),
    Variant("a job that never ran is not missed", watch, "time is None or time", "time is not None and time"),
    Variant("nothing is ever missed", watch, "time < due", "time < known.since"),
    Variant("missed goes by the clocks of runs alone", watch, "(known.level, known.recorded)", "(known.recorded,)"),
    Variant("missed goes by what is done alone", watch, "(known.level, known.recorded)", "(known.level,)"),
    Variant(
        "a partial window counts to its end", watch, 'level = start if outcome == "partial" else end', "level = end"
    ),
    Variant(
        "a done window counts from its start", watch, 'level = start if outcome == "partial" else end', "level = start"
    ),
    Variant(
        "what is recorded is when a run began", watch, "started_at + timedelta(milliseconds=duration_ms)", "started_at"
    ),
    Variant(
        "a job that never ran has no lag", watch, "level = known.level or known.since", "level = known.level or now"
    ),
    Variant("catching up is to be late at all", watch, "due - known.level > job.max_window", "due > known.level"),
    Variant(
        "catching up goes on when one run covers it",
        watch,
        "due - known.level > job.max_window",
        "now - known.level > job.max_window",
    ),
]


@pytest.mark.parametrize("variant", VARIANTS, ids=[variant.name for variant in VARIANTS])
def test_a_broken_variant_is_noticed(variant: Variant) -> None:
    # As they are made up, without a search for the shortest: that it fails is enough.
    quick = settings(QUICK, max_examples=1000, phases=[Phase.generate], report_multiple_bugs=False)
    # A duplicate key is what the real ledger would say, too. No other error: the variant itself would be wrong.
    with _broken(variant), pytest.raises((AssertionError, sqlite3.IntegrityError)):
        run_state_machine_as_test(Histories, settings=quick)


@contextmanager
def _broken(variant: Variant) -> Iterator[None]:
    """Let the module's functions have the code of its changed text; everything else stays as it is."""
    source = inspect.getsource(variant.module)
    assert source.count(variant.words) == 1, "the words have changed: say the variant in today's"
    changed = ModuleType(variant.module.__name__)
    exec(compile(source.replace(variant.words, variant.instead), variant.name, "exec"), vars(changed))  # noqa: S102
    functions = [*_functions(variant.module, changed)]
    before = [real.__code__ for real, _ in functions]
    for real, other in functions:
        real.__code__ = other.__code__
    try:
        yield
    finally:
        for (real, _), code in zip(functions, before, strict=True):
            real.__code__ = code


def _functions(real: Any, other: Any) -> Iterator[tuple[FunctionType, FunctionType]]:
    """The functions and methods of a module, each with that of the same name in the other one."""
    for name, value in [*vars(real).items()]:
        counterpart = vars(other).get(name)
        if isinstance(value, FunctionType) and isinstance(counterpart, FunctionType):
            if value.__module__ == counterpart.__module__:  # its own, not imported
                yield value, counterpart
        elif isinstance(value, type) and isinstance(real, ModuleType) and value.__module__ == real.__name__:
            yield from _functions(value, counterpart)
