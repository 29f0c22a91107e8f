"""What a run may claim, whatever order deliveries come in."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysql_jobs.claim import CatchUp, Claim, Entry, Refusal, Terms, decide
from mysql_jobs.request import Continued, Request, Window
from mysql_jobs.timetable import Timetable

START = datetime(2026, 11, 23, tzinfo=UTC)
FIVE_MINUTES = Timetable("rate(5 minutes)", "UTC")
DAY = timedelta(days=1)


def _time(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def _window(start: int, end: int) -> Window:
    return Window(start=_time(start), end=_time(end))


def _request(minutes: int, window: Window | None = None) -> Request:
    return Request(job="job", scheduled_time=_time(minutes), execution_id="one", window=window, dry_run=False)


def _entry(sequence: int, start: int, end: int, outcome: Literal["done", "partial", "skipped"] = "done") -> Entry:
    progress = {"after": 7} if outcome == "partial" else {}
    return Entry(sequence=sequence, window=_window(start, end), outcome=outcome, progress=progress, execution_id="one")


def _terms(catch_up: CatchUp = "all", *, max_minutes: int = 1440, times: Timetable = FIVE_MINUTES) -> Terms:
    return Terms(max_window=timedelta(minutes=max_minutes), catch_up=catch_up, times=times)


def _decide(
    minutes: int, last: Entry | None, terms: Terms | None = None, *, own: Entry | None = None
) -> Claim | Refusal:
    return decide(_request(minutes), own, last, terms or _terms())


def _new(start: int, end: int, *, skipped: Window | None = None) -> Claim:
    return Claim(window=_window(start, end), progress={}, sequence=None, skipped=skipped)


def test_the_first_window_is_as_long_as_a_window_may_be() -> None:
    for catch_up in ("all", "latest"):
        assert _decide(0, None, _terms(catch_up)) == _new(-1440, 0)


def test_the_first_window_of_a_job_that_catches_up_nothing_is_one_interval() -> None:
    assert _decide(0, None, _terms("none")) == _new(-5, 0)
    assert _decide(0, None, _terms("none", max_minutes=3)) == _new(-3, 0)
    once = Timetable("at(2026-11-23T00:00:00)", "UTC")
    assert _decide(0, None, _terms("none", times=once)) == _new(-1440, 0)


@pytest.mark.parametrize("catch_up", ["all", "latest", "none"])
def test_a_window_begins_where_the_last_one_ended(catch_up: CatchUp) -> None:
    assert _decide(10, _entry(1, 0, 5), _terms(catch_up)) == _new(5, 10)
    assert _decide(10, _entry(1, 0, 7), _terms(catch_up)) == _new(7, 10), "a schedule that was moved forward"


def test_all_that_was_missed_is_caught_up_one_longest_window_at_a_time() -> None:
    hour = _terms(max_minutes=60)
    assert _decide(300, _entry(1, 0, 5), hour) == _new(5, 65)
    assert _decide(300, _entry(2, 5, 65), hour) == _new(65, 125)
    assert _decide(300, _entry(6, 245, 295), hour) == _new(295, 300)


def test_the_latest_window_covers_all_that_was_missed_however_long() -> None:
    assert _decide(300, _entry(1, 0, 5), _terms("latest", max_minutes=60)) == _new(5, 300)


def test_what_is_not_caught_up_is_skipped_and_the_window_is_one_interval() -> None:
    assert _decide(300, _entry(1, 0, 5), _terms("none", max_minutes=60)) == _new(295, 300, skipped=_window(5, 295))


def test_where_no_time_before_is_known_nothing_is_skipped() -> None:
    assert _decide(300, _entry(1, 0, 5), _terms("none", times=Timetable("", "UTC"))) == _new(5, 300)


def test_a_change_of_the_clocks_skips_nothing() -> None:
    """On 29 March 2026 there is no 02:30 in Berlin: the window is that of two days."""
    berlin = Timetable("cron(30 2 * * ? *)", "Europe/Berlin")
    before, after = datetime(2026, 3, 28, 1, 30, tzinfo=UTC), datetime(2026, 3, 30, 0, 30, tzinfo=UTC)
    last = Entry(
        sequence=1, window=Window(start=before - DAY, end=before), outcome="done", progress={}, execution_id=""
    )
    request = _request(0)._replace(scheduled_time=after)
    claim = decide(request, None, last, _terms("none", max_minutes=2880, times=berlin))
    assert claim == Claim(window=Window(start=before, end=after), progress={}, sequence=None)


def test_a_recorded_scheduled_time_is_a_duplicate() -> None:
    entry = _entry(3, 0, 5)
    assert _decide(5, entry, own=entry) == "duplicate"
    assert _decide(5, entry) == "duplicate", "the window that reaches it was begun for another"
    assert _decide(5, _entry(4, 5, 10), own=entry) == "duplicate"
    assert _decide(5, _entry(4, 0, 5, "skipped")) == "duplicate"


def test_a_late_delivery_is_superseded_by_a_later_window() -> None:
    assert _decide(5, _entry(4, 0, 10)) == "superseded"
    assert _decide(5, _entry(4, 0, 10, "partial")) == "superseded"


@pytest.mark.parametrize("catch_up", ["all", "latest", "none"])
@pytest.mark.parametrize("minutes", [5, 10, 3000])
def test_a_partial_window_is_continued_in_its_row_by_whoever_comes_next(minutes: int, catch_up: CatchUp) -> None:
    claim = Claim(window=_window(0, 5), progress={"after": 7}, sequence=3)
    assert _decide(minutes, _entry(3, 0, 5, "partial"), _terms(catch_up)) == claim


def test_a_scheduled_time_goes_on_until_a_window_reaches_it() -> None:
    """Its first window is done; a second delivery, or a continuation, takes the next."""
    own = _entry(3, 0, 60)
    assert _decide(120, own, _terms(max_minutes=60), own=own) == _new(60, 120)


@pytest.mark.parametrize("last", [_entry(3, 0, 60, "partial"), _entry(3, 0, 60)])
def test_a_continuation_goes_on_unless_another_run_has_taken_over(last: Entry) -> None:
    """A scheduled time that came between two runs of a chain has a chain of its own by then."""
    request = _request(120)._replace(continued=Continued(since=_time(120), number=2))
    hour = _terms(max_minutes=60)
    assert isinstance(decide(request, None, last, hour), Claim)
    assert decide(request, None, last._replace(execution_id="another"), hour) == "superseded"
    assert isinstance(decide(_request(120), None, last._replace(execution_id="another"), hour), Claim), (
        "a scheduled one"
    )


def test_a_window_by_hand_is_outside_of_the_sequence() -> None:
    window = _window(-100, -50)
    request, claim = _request(0, window), _new(-100, -50)
    assert decide(request, None, None, _terms()) == claim
    assert decide(request, None, _entry(3, 0, 5, "partial"), _terms()) == claim
    assert decide(request, _entry(4, -100, -50), _entry(3, 0, 5), _terms()) == "duplicate"
    assert decide(request, _entry(4, -100, -50, "partial"), _entry(3, 0, 5), _terms()) == Claim(
        window=window, progress={"after": 7}, sequence=4
    )


policies = st.sampled_from(["all", "latest", "none"])
deliveries = st.lists(
    st.tuples(st.integers(0, 80), st.sampled_from(["done", "partial", "failed"]), policies), max_size=60
)


@given(deliveries, st.integers(6, 200))
def test_windows_have_no_gap_and_no_overlap_whatever_is_caught_up(
    deliveries: list[tuple[int, str, CatchUp]], max_minutes: int
) -> None:
    """Also where what is caught up is changed from one run to the next."""
    rows: dict[int, Entry] = {}
    for number, outcome, catch_up in deliveries:
        last = max(rows.values(), key=lambda entry: entry.sequence, default=None)
        claim = _decide(5 * number, last, _terms(catch_up, max_minutes=max_minutes))
        if not isinstance(claim, Claim) or outcome == "failed":
            continue
        assert claim.window.start < claim.window.end <= _time(5 * number)
        if claim.sequence is None and catch_up != "latest":
            assert claim.window.end - claim.window.start <= timedelta(minutes=max_minutes)
        sequence = claim.sequence or (last.sequence + 1 if last else 1)
        if claim.skipped is not None:
            assert catch_up == "none"
            rows[sequence] = Entry(
                sequence=sequence, window=claim.skipped, outcome="skipped", progress={}, execution_id=""
            )
            sequence += 1
        word: Literal["done", "partial"] = "done" if outcome == "done" else "partial"
        rows[sequence] = Entry(sequence=sequence, window=claim.window, outcome=word, progress={}, execution_id="")
    for before, after in itertools.pairwise(rows[each] for each in sorted(rows)):
        assert before.outcome != "partial"
        assert before.window.end == after.window.start
