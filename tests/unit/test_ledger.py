"""Whose turn it is, and for which window: the decision alone, whatever order deliveries come in."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from ledger import Entry, Turn, decide
from request import Request, Window

START = datetime(2026, 11, 23, tzinfo=UTC)
DAY = timedelta(days=1)


def _time(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def _window(start: int, end: int) -> Window:
    return Window(start=_time(start), end=_time(end))


def _request(minutes: int, window: Window | None = None) -> Request:
    return Request(job="job", scheduled_time=_time(minutes), execution_id="one", window=window, dry_run=False)


def _entry(sequence: int, start: int, end: int, outcome: Literal["done", "partial"] = "done") -> Entry:
    progress = {"after": 7} if outcome == "partial" else {}
    return Entry(sequence=sequence, window=_window(start, end), outcome=outcome, progress=progress)


def test_the_first_window_is_as_long_as_a_window_may_be() -> None:
    assert decide(_request(0), None, None, DAY) == Turn(window=_window(-1440, 0), progress={}, sequence=None)


def test_a_window_begins_where_the_last_one_ended() -> None:
    assert decide(_request(15), None, _entry(1, 0, 5), DAY) == Turn(window=_window(5, 15), progress={}, sequence=None)


def test_a_catch_up_takes_one_longest_window_at_a_time() -> None:
    hour = timedelta(hours=1)
    assert decide(_request(300), None, _entry(1, 0, 5), hour) == Turn(window=_window(5, 65), progress={}, sequence=None)
    assert decide(_request(305), None, _entry(2, 5, 65), hour) == Turn(
        window=_window(65, 125), progress={}, sequence=None
    )


def test_a_recorded_scheduled_time_is_a_duplicate() -> None:
    entry = _entry(3, 0, 5)
    assert decide(_request(5), entry, entry, DAY) == "duplicate"
    assert decide(_request(5), entry, _entry(4, 5, 10), DAY) == "duplicate"


def test_a_late_delivery_is_covered_by_the_window_that_went_beyond_it() -> None:
    assert decide(_request(5), None, _entry(4, 0, 10), DAY) == "covered"
    assert decide(_request(10), None, _entry(4, 0, 10), DAY) == "covered"
    assert decide(_request(5), None, _entry(4, 0, 10, "partial"), DAY) == "covered"


def test_a_partial_run_is_continued_as_it_was_by_its_retry_in_its_own_row() -> None:
    entry = _entry(3, 0, 5, "partial")
    assert decide(_request(5), entry, entry, DAY) == Turn(window=_window(0, 5), progress={"after": 7}, sequence=3)


def test_a_partial_run_is_continued_as_it_was_by_the_next_run_in_a_row_of_its_own() -> None:
    last = _entry(3, 0, 5, "partial")
    assert decide(_request(10), None, last, DAY) == Turn(window=_window(0, 5), progress={"after": 7}, sequence=None)


def test_a_partial_run_that_another_continued_is_a_duplicate() -> None:
    assert decide(_request(5), _entry(3, 0, 5, "partial"), _entry(4, 0, 5), DAY) == "duplicate"
    assert decide(_request(5), _entry(3, 0, 5, "partial"), _entry(4, 0, 5, "partial"), DAY) == "duplicate"


def test_a_window_by_hand_is_outside_of_the_sequence() -> None:
    window = _window(-100, -50)
    turn = Turn(window=window, progress={}, sequence=None)
    assert decide(_request(0, window), None, None, DAY) == turn
    assert decide(_request(0, window), None, _entry(3, 0, 5, "partial"), DAY) == turn
    assert decide(_request(0, window), _entry(4, -100, -50), _entry(3, 0, 5), DAY) == "duplicate"
    assert decide(_request(0, window), _entry(4, -100, -50, "partial"), _entry(3, 0, 5), DAY) == Turn(
        window=window, progress={"after": 7}, sequence=4
    )


@given(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from(["done", "partial", "failed"])), max_size=60),
    st.integers(1, 200),
)
def test_whatever_is_delivered_windows_follow_each_other_without_gap_or_overlap(
    deliveries: list[tuple[int, str]], max_minutes: int
) -> None:
    rows: dict[datetime, Entry] = {}
    for minutes, outcome in deliveries:
        request = _request(minutes)
        last = max(rows.values(), key=lambda entry: entry.sequence, default=None)
        turn = decide(request, rows.get(request.scheduled_time), last, timedelta(minutes=max_minutes))
        if not isinstance(turn, Turn) or outcome == "failed":
            continue
        assert turn.window.start < turn.window.end
        assert turn.window.end - turn.window.start <= timedelta(minutes=max_minutes)
        sequence = turn.sequence or (last.sequence + 1 if last else 1)
        entry = Entry(sequence=sequence, window=turn.window, outcome="done", progress={})
        rows[request.scheduled_time] = entry if outcome == "done" else replace(entry, outcome="partial")
    done = sorted((entry for entry in rows.values() if entry.outcome == "done"), key=lambda entry: entry.sequence)
    for before, after in itertools.pairwise(done):
        assert before.window.end == after.window.start
