"""What the one line of a run says, field by field: metric filters, alarms and people read them."""

import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mysql_jobs import report as reports
from mysql_jobs.claim import Claim, Refusal
from mysql_jobs.connection import Destroyed
from mysql_jobs.outside.outside import Reached
from mysql_jobs.report import LONGEST_TEXT, Report, writable
from mysql_jobs.request import Request, Window
from mysql_jobs.run import Outcome
from tests.mysql_jobs.function import EIGHT


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stands still unless it is moved."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(reports, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def report(clock: Any) -> Report:
    assert clock.now == 100.0
    return Report(job="pulse", request_id="request-1")


def _added(report: Report) -> dict[str, Any]:
    """What is there besides what every report begins with."""
    return {name: value for name, value in report.entries.items() if name not in ("job", "request_id")}


def test_a_report_begins_as_one_of_a_failure(report: Report) -> None:
    """Whatever ends the run before more is known."""
    assert report.entries == {"job": "pulse", "request_id": "request-1", "outcome": "failed"}


def test_the_run_that_was_asked_for_is_named(report: Report) -> None:
    report.requested(Request(job="pulse", scheduled_time=EIGHT, execution_id="one", window=None, dry_run=False))
    assert _added(report) == {
        "outcome": "failed",
        "scheduled_time": "2026-11-23T08:00:00+00:00",
        "execution_id": "one",
    }


@pytest.mark.parametrize("fails", [False, True])
def test_each_stage_is_timed_in_milliseconds_also_one_that_fails(fails: bool, report: Report, clock: Any) -> None:
    with pytest.raises(KeyError) if fails else report.timing("other"), report.timing("connect"):
        clock.now += 1.234564
        if fails:
            raise KeyError
    assert report.entries["connect_ms"] == 1234.56


def test_the_connection_is_counted_and_its_end_told(report: Report) -> None:
    report.connected(cast(Any, SimpleNamespace(attempts=3)))
    report.destroyed(Destroyed("polite", 0.00123, ""))
    assert _added(report) == {"outcome": "failed", "attempts": 3, "destroyed": "polite", "destroy_ms": 1.23}
    report.destroyed(Destroyed("cut", 0.5, "killed"))
    assert (report.entries["destroyed"], report.entries["killed"]) == ("cut", "killed")


@pytest.mark.parametrize("refusal", ["overlapping", "duplicate", "superseded"])
def test_a_run_that_has_nothing_to_do_is_none_that_failed(refusal: Refusal, report: Report) -> None:
    report.refused(refusal)
    assert _added(report) == {"outcome": refusal}


def test_an_orphan_is_told_if_there_was_one(report: Report) -> None:
    report.met("")
    assert "orphan" not in report.entries
    report.met("session 7, 3 s beyond its time: killed")
    assert _added(report) == {"outcome": "failed", "orphan": "session 7, 3 s beyond its time: killed"}


def test_the_window_is_told(report: Report) -> None:
    window = Window(start=EIGHT.replace(hour=7), end=EIGHT)
    report.began(Claim(window=window, progress={}, sequence=None))
    assert _added(report) == {
        "outcome": "failed",
        "window_start": "2026-11-23T07:00:00+00:00",
        "window_end": "2026-11-23T08:00:00+00:00",
    }


def test_a_job_that_ended_says_its_result_and_its_progress_if_it_has_one(report: Report) -> None:
    report.ended(Outcome(word="done", result={"rows": 2}, progress={}))
    assert _added(report) == {"outcome": "done", "result": {"rows": 2}}
    report.ended(Outcome(word="partial", result={}, progress={"after": 7}))
    assert _added(report) == {"outcome": "partial", "result": {}, "progress": {"after": 7}}


def test_an_error_makes_it_a_failure_whatever_was_known_before(report: Report) -> None:
    report.ended(Outcome(word="done", result={}, progress={}))
    report.failed(ValueError("no such customer"))
    assert (report.entries["outcome"], report.entries["error"]) == ("failed", "ValueError: no such customer")


def test_what_was_put_back_is_listed_if_there_is_any_and_what_leaked_always(report: Report) -> None:
    report.restored([])
    report.leaked([])
    assert _added(report) == {"outcome": "failed", "leaked": []}
    report.restored(["umask"])
    report.leaked(["socket socket:[7]"])
    assert _added(report) == {"outcome": "failed", "leaked": ["socket socket:[7]"], "restored": ["umask"]}


@pytest.mark.parametrize(
    ("outcome", "leaks", "level"),
    [("done", [], logging.INFO), ("done", ["timer"], logging.ERROR), (None, [], logging.ERROR)],
)
def test_the_line_is_an_error_if_the_run_failed_or_leaked(
    outcome: Any, leaks: list[str], level: int, report: Report, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    if outcome:
        report.ended(Outcome(word=outcome, result={"at": EIGHT, "text": "é\udc80"}, progress={}))
    report.leaked(leaks)
    clock.now += 0.25
    entries = report.write()
    [line] = [record for record in caplog.records if record.name == "mysql_jobs"]
    assert (line.levelno, line.message) == (level, "run")
    assert entries.items() <= vars(line).items()
    assert entries["duration_ms"] == 250
    assert entries["job"] == "pulse"
    if outcome:
        assert entries["result"] == {"at": str(EIGHT), "text": "é?"}


def test_the_line_is_written_whatever_the_level_of_the_root() -> None:
    assert logging.getLogger("mysql_jobs").level == logging.INFO


def test_a_text_is_cut_and_says_how_long_it_was(report: Report) -> None:
    report.met("x" * 8192)
    assert report.entries["orphan"] == "x" * 8192
    report.met("x" * 8193)
    assert report.entries["orphan"] == "x" * 8192 + "… (8193 characters)"
    report.destroyed(Destroyed("cut", 0, "failed: " + "x" * 8192))
    assert report.entries["killed"].endswith("… (8200 characters)")
    report.failed(ValueError("\udc80"))
    assert report.entries["error"] == "ValueError: \\udc80"


def test_a_list_has_twenty_items_of_256_characters(report: Report) -> None:
    report.leaked(["y" * 257] * 20)
    assert report.entries["leaked"] == ["y" * 256 + "… (257 characters)"] * 20
    report.leaked(["y" * 256] * 22)
    assert report.entries["leaked"] == ["y" * 256] * 20 + ["and 2 more"]
    report.restored(["y"] * 21)
    assert report.entries["restored"] == ["y"] * 20 + ["and 1 more"]


class Mute(Exception):
    def __str__(self) -> str:
        raise RecursionError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("\udc80"), "\\udc80"),
        (Mute(), "its text could not be made: RecursionError"),
        (KeyError("z" * 8193), "'" + "z" * 8191 + "… (8195 characters)"),
    ],
    ids=["surrogate", "mute", "long"],
)
def test_an_error_that_can_not_be_written_becomes_one_of_the_same_name_and_place(error: Exception, text: str) -> None:
    with pytest.raises(type(error)) as caught:
        raise error
    told = writable(caught.value)
    assert told is not error
    assert told.__traceback__ is error.__traceback__ is not None
    assert (type(told).__name__, type(told).__mro__[1], str(told)) == (type(error).__name__, Exception, text)


def test_an_error_that_can_be_written_or_ends_the_process_is_itself() -> None:
    for error in (ValueError("no such customer"), ValueError(), KeyboardInterrupt("\udc80")):
        assert writable(error) is error


def test_what_was_read_of_secrets_is_in_no_line_and_in_no_error() -> None:
    report = Report(job="pulse", request_id="request-1")
    report.reached(Reached(places=("api.example:443",), secrets=('a "key" of the api', "a key")))
    error = ValueError('refused: a "key" of the api, a key')
    report.failed(error)
    report.entries["result"] = {"a key": ["a key", {"b": 'x a "key" of the api'}], "n": 1, "none": None}
    entries = report.write()
    assert entries["error"] == "ValueError: refused: ***, ***"
    assert entries["result"] == {"***": ["***", {"b": "x ***"}], "n": 1, "none": None}
    assert entries["reached"] == ["api.example:443"]
    told = writable(error, report.secrets)
    assert (type(told).__name__, str(told), told.__cause__) == ("ValueError", "refused: ***, ***", None)
    harmless = ValueError("refused")
    assert writable(harmless, report.secrets) is harmless


def test_of_a_secret_that_the_longest_error_cuts_not_even_the_beginning_is_shown() -> None:
    report = Report(job="pulse", request_id="request-1")
    report.reached(Reached(places=(), secrets=("the-key-of-the-api",)))
    error = ValueError("x" * (LONGEST_TEXT - 10) + "the-key-of-the-api")
    report.failed(error)
    assert "the-key" not in report.write()["error"]
    assert "the-key" not in str(writable(error, report.secrets))


def test_what_ends_the_process_shows_no_secret_either() -> None:
    """Python writes the text of SystemExit as it ends."""
    told = writable(SystemExit("bad key: the-key-of-the-api"), ("the-key-of-the-api",))
    assert (type(told).__name__, type(told).__mro__[1], str(told)) == ("SystemExit", BaseException, "bad key: ***")
