"""What the watcher is told: of each job that is switched on, when it runs, and how late that may be seen."""

import json

from settings.job_users import fits_variable
from settings.watched_jobs import watched_text
from tests.fixture import a_job


def test_a_job_is_told_with_its_schedule_and_how_late_it_may_be() -> None:
    job = a_job(name="tally", schedule="cron(15 3 * * ? *)", time_zone="Europe/Berlin", timeout_seconds=300)
    assert json.loads(watched_text([job])) == {
        "tally": {
            "schedule": "cron(15 3 * * ? *)",
            "time_zone": "Europe/Berlin",
            "allowance_seconds": 3600 + 300,
            "silence_seconds": 25 * 3600 + 3600 + 300,  # the day on which the clocks go back has 25 hours
            "max_window_seconds": 2 * 86400,
        }
    }


def test_a_job_that_is_switched_off_is_not_watched() -> None:
    jobs = [a_job(name="pulse", schedule="rate(1 hour)"), a_job(name="tally", schedule="rate(1 hour)", enabled=False)]
    assert json.loads(watched_text(jobs)).keys() == {"pulse"}
    assert watched_text(jobs[1:]) == "{}"


def test_only_a_job_that_works_through_what_it_missed_can_be_catching_up() -> None:
    jobs = {
        catch_up: a_job(name="pulse", schedule="rate(1 hour)", catch_up=catch_up)
        for catch_up in ("all", "latest", "none")
    }
    told = {catch_up: json.loads(watched_text([job]))["pulse"] for catch_up, job in jobs.items()}
    assert [catch_up for catch_up, each in told.items() if "max_window_seconds" in each] == ["all"]


def test_a_job_that_runs_once_is_watched_from_its_time_on() -> None:
    told = json.loads(watched_text([a_job(name="pulse", schedule="at(2026-12-24T18:00:00)")]))["pulse"]
    assert told["silence_seconds"] == told["allowance_seconds"] == 3600 + 60


def test_what_is_told_is_compact_sorted_and_fits_for_some_twenty_jobs() -> None:
    jobs = [a_job(name=f"tally_{letter}", module="tally", schedule="rate(1 hour)") for letter in "tsrqponmlkjihgfedcba"]
    text = watched_text(jobs)
    assert list(json.loads(text)) == sorted(job.name for job in jobs)
    assert " " not in text.replace("rate(1 hour)", "")
    assert fits_variable(text)
    assert not fits_variable(watched_text([*jobs, *(job.model_copy(update={"name": f"{job.name}_2"}) for job in jobs)]))
