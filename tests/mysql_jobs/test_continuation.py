"""Which runs are followed by another at once, and that no chain of them runs away."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from mysql_jobs.claim import Claim
from mysql_jobs.continuation import Following, following
from mysql_jobs.request import Continued, Request, Window
from mysql_jobs.run import Outcome
from mysql_jobs.timetable import Timetable

EIGHT = datetime(2026, 11, 23, 8, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
EVERY_HOUR = Timetable("rate(1 hour)", "UTC")
REQUEST = Request(job="pulse", scheduled_time=EIGHT, execution_id="one", window=None, dry_run=False)
LAST_HOUR = Window(EIGHT - HOUR, EIGHT)
STOPS = Following(event=None, stuck=False)
STUCK = Following(event=None, stuck=True)


def _follows(
    word: Literal["done", "partial", "dry_run"],
    *,
    request: Request = REQUEST,
    window: Window = LAST_HOUR,
    before: Mapping[str, Any] = {},
    progress: Mapping[str, Any] = {},
    seconds: float = 30,
    timetable: Timetable = EVERY_HOUR,
    most: timedelta = 24 * HOUR,
) -> Following:
    """What follows a run that began five seconds after its time and took so long."""
    began = EIGHT + 5 * SECOND
    return following(
        request,
        Claim(window=window, progress=before, sequence=None),
        Outcome(word=word, result={}, progress=progress),
        began=began,
        now=began + seconds * SECOND,
        timetable=timetable,
        most=most,
    )


def _asked(following: Following) -> Request:
    assert following.event is not None
    assert not following.stuck
    return Request.read(following.event, job="pulse", request_id="another", now=EIGHT + 48 * HOUR)


def test_a_run_that_is_done_in_time_is_followed_by_none() -> None:
    assert _follows("done") == STOPS


def test_a_partial_run_that_got_on_is_followed_by_one_for_the_same_time() -> None:
    asked = _asked(_follows("partial", before={"after": 7}, progress={"after": 9}))
    assert asked == REQUEST._replace(continued=Continued(since=EIGHT + 5 * SECOND, number=1))


@pytest.mark.parametrize("progress", [{}, {"after": 7}])
def test_a_partial_run_that_did_not_get_on_is_stuck(progress: dict[str, int]) -> None:
    assert _follows("partial", before=progress, progress=progress) == STUCK


def test_a_chain_keeps_its_beginning_and_counts() -> None:
    request = REQUEST._replace(continued=Continued(since=EIGHT - HOUR, number=4))
    asked = _asked(_follows("partial", request=request, progress={"after": 9}))
    assert asked.continued == Continued(since=EIGHT - HOUR, number=5)


def test_a_window_that_ends_before_its_time_is_followed_by_the_next() -> None:
    asked = _asked(_follows("done", window=Window(EIGHT - 9 * HOUR, EIGHT - 8 * HOUR)))
    assert asked == REQUEST._replace(continued=Continued(since=EIGHT + 5 * SECOND, number=1))


def test_a_run_goes_on_to_a_time_that_has_come_meanwhile() -> None:
    """Its own delivery found the lock taken. It is another scheduled time, with hours of its own."""
    request = REQUEST._replace(continued=Continued(since=EIGHT - 20 * HOUR, number=40))
    asked = _asked(_follows("done", request=request, seconds=3 * 3600))
    now = EIGHT + 5 * SECOND + 3 * HOUR
    assert asked == REQUEST._replace(scheduled_time=EIGHT + 3 * HOUR, continued=Continued(since=now, number=1))


def test_no_other_time_is_known_where_nobody_says_the_schedule() -> None:
    assert _follows("done", seconds=3 * 3600, timetable=Timetable("", "UTC")) == STOPS


def test_the_runs_for_one_time_end_with_its_hours() -> None:
    for window, word, progress in (
        (Window(EIGHT - HOUR, EIGHT), "partial", {"after": 9}),
        (Window(EIGHT - 9 * HOUR, EIGHT - 8 * HOUR), "done", {}),
    ):
        for since, stuck in ((EIGHT - 23 * HOUR, False), (EIGHT - 24 * HOUR, True)):
            request = REQUEST._replace(continued=Continued(since=since, number=40))
            assert _follows(word, request=request, window=window, progress=progress).stuck is stuck  # type: ignore[arg-type]


def test_a_first_run_longer_than_the_hours_is_the_last() -> None:
    assert _follows("partial", progress={"after": 9}, seconds=3600, most=HOUR) == STUCK
    assert _follows("partial", progress={"after": 9}, seconds=3599, most=HOUR).event is not None


def test_a_dry_run_is_followed_by_none() -> None:
    late = Window(EIGHT - 9 * HOUR, EIGHT - 8 * HOUR)
    assert _follows("dry_run", window=late, progress={"after": 9}, seconds=9999) == STOPS


def test_a_window_by_hand_goes_on_until_it_is_done() -> None:
    window = Window(EIGHT - 9 * HOUR, EIGHT - 8 * HOUR)
    by_hand = REQUEST._replace(window=window)
    asked = _asked(_follows("partial", request=by_hand, window=window, progress={"after": 9}))
    assert (asked.window, asked.execution_id, asked.continued) == (window, "one", Continued(EIGHT + 5 * SECOND, 1))
    assert _follows("done", request=by_hand, window=window, seconds=9999) == STOPS


@pytest.mark.parametrize("window", [None, Window(EIGHT - HOUR, EIGHT)])
def test_a_chain_that_always_gets_on_ends_by_itself(window: Window | None) -> None:
    """A job without an end, asked again as often as it says: a run a minute, for three hours."""
    request, began, runs = REQUEST._replace(window=window), EIGHT, 0
    timetable = Timetable("cron(0 8 * * ? *)", "UTC")
    while True:
        runs += 1
        claim = Claim(window=Window(EIGHT - HOUR, EIGHT), progress={"after": runs}, sequence=None)
        outcome = Outcome(word="partial", result={}, progress={"after": runs + 1})
        now = began + MINUTE
        found = following(request, claim, outcome, began=began, now=now, timetable=timetable, most=3 * HOUR)
        if found.event is None:
            break
        request, began = Request.read(found.event, job="pulse", request_id="another", now=now), now
    assert found == STUCK
    assert runs == 180
