"""What a run may claim: the decision alone, whatever order deliveries come in."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from mysql_jobs.ledger import Claim, Entry, decide
from mysql_jobs.request import Request, Window

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
    assert decide(_request(0), None, None, DAY) == Claim(window=_window(-1440, 0), progress={}, sequence=None)


def test_a_window_begins_where_the_last_one_ended() -> None:
    assert decide(_request(15), None, _entry(1, 0, 5), DAY) == Claim(window=_window(5, 15), progress={}, sequence=None)


def test_a_catch_up_takes_one_longest_window_at_a_time() -> None:
    hour = timedelta(hours=1)
    assert decide(_request(300), None, _entry(1, 0, 5), hour) == Claim(
        window=_window(5, 65), progress={}, sequence=None
    )
    assert decide(_request(305), None, _entry(2, 5, 65), hour) == Claim(
        window=_window(65, 125), progress={}, sequence=None
    )


def test_a_recorded_scheduled_time_is_a_duplicate() -> None:
    entry = _entry(3, 0, 5)
    assert decide(_request(5), entry, entry, DAY) == "duplicate"
    assert decide(_request(5), entry, _entry(4, 5, 10), DAY) == "duplicate"


def test_a_late_delivery_is_superseded_by_a_later_window() -> None:
    assert decide(_request(5), None, _entry(4, 0, 10), DAY) == "superseded"
    assert decide(_request(10), None, _entry(4, 0, 10), DAY) == "superseded"
    assert decide(_request(5), None, _entry(4, 0, 10, "partial"), DAY) == "superseded"


def test_a_retry_continues_its_partial_run_in_the_same_row() -> None:
    entry = _entry(3, 0, 5, "partial")
    assert decide(_request(5), entry, entry, DAY) == Claim(window=_window(0, 5), progress={"after": 7}, sequence=3)


def test_the_next_run_continues_a_partial_run_in_a_new_row() -> None:
    last = _entry(3, 0, 5, "partial")
    assert decide(_request(10), None, last, DAY) == Claim(window=_window(0, 5), progress={"after": 7}, sequence=None)


def test_a_retry_of_a_continued_run_is_a_duplicate() -> None:
    assert decide(_request(5), _entry(3, 0, 5, "partial"), _entry(4, 0, 5), DAY) == "duplicate"
    assert decide(_request(5), _entry(3, 0, 5, "partial"), _entry(4, 0, 5, "partial"), DAY) == "duplicate"


def test_a_window_by_hand_is_outside_of_the_sequence() -> None:
    window = _window(-100, -50)
    claim = Claim(window=window, progress={}, sequence=None)
    assert decide(_request(0, window), None, None, DAY) == claim
    assert decide(_request(0, window), None, _entry(3, 0, 5, "partial"), DAY) == claim
    assert decide(_request(0, window), _entry(4, -100, -50), _entry(3, 0, 5), DAY) == "duplicate"
    assert decide(_request(0, window), _entry(4, -100, -50, "partial"), _entry(3, 0, 5), DAY) == Claim(
        window=window, progress={"after": 7}, sequence=4
    )


@given(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from(["done", "partial", "failed"])), max_size=60),
    st.integers(1, 200),
)
def test_windows_have_no_gap_and_no_overlap(deliveries: list[tuple[int, str]], max_minutes: int) -> None:
    rows: dict[datetime, Entry] = {}
    for minutes, outcome in deliveries:
        request = _request(minutes)
        last = max(rows.values(), key=lambda entry: entry.sequence, default=None)
        claim = decide(request, rows.get(request.scheduled_time), last, timedelta(minutes=max_minutes))
        if not isinstance(claim, Claim) or outcome == "failed":
            continue
        assert claim.window.start < claim.window.end
        assert claim.window.end - claim.window.start <= timedelta(minutes=max_minutes)
        sequence = claim.sequence or (last.sequence + 1 if last else 1)
        entry = Entry(sequence=sequence, window=claim.window, outcome="done", progress={})
        rows[request.scheduled_time] = entry if outcome == "done" else replace(entry, outcome="partial")
    done = sorted((entry for entry in rows.values() if entry.outcome == "done"), key=lambda entry: entry.sequence)
    for before, after in itertools.pairwise(done):
        assert before.window.end == after.window.start
