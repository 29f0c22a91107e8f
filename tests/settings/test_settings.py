"""What the settings say beyond the values in an environment file."""

from datetime import timedelta

import pytest

from tests.fixture import ENVIRONMENTS, a_job


@pytest.mark.parametrize(
    ("schedule", "given", "expected"),
    [
        ("rate(5 minutes)", None, timedelta(days=1)),
        ("rate(5 minutes)", 6, timedelta(minutes=6)),
        ("rate(12 hours)", None, timedelta(days=1)),
        ("rate(13 hours)", None, timedelta(hours=26)),
        ("cron(15 3 ? * MON-FRI *)", None, timedelta(days=6)),
        ("cron(15 3 ? * MON-FRI *)", 4321, timedelta(days=3, minutes=1)),
        ("at(2026-12-24T18:00:00)", None, timedelta(days=1)),
        ("at(2026-12-24T18:00:00)", 1, timedelta(minutes=1)),
    ],
)
def test_the_longest_window_is_given_or_a_day_or_twice_the_longest_interval(
    schedule: str, given: int | None, expected: timedelta
) -> None:
    assert a_job(name="pulse", schedule=schedule, max_window_minutes=given).max_window == expected


@pytest.mark.parametrize(
    ("schedule", "given", "expected"),
    [
        ("rate(1 minute)", None, timedelta(minutes=1)),
        ("rate(5 minutes)", None, timedelta(minutes=2, seconds=30)),
        ("rate(1 day)", None, timedelta(hours=1)),
        ("rate(1 day)", 90, timedelta(minutes=90)),
        ("at(2026-12-24T18:00:00)", None, timedelta(hours=1)),
        ("at(2026-12-24T18:00:00)", 360, timedelta(hours=6)),
    ],
)
def test_retries_end_long_before_the_next_run(schedule: str, given: int | None, expected: timedelta) -> None:
    assert a_job(name="pulse", schedule=schedule, retry_minutes=given).retry_window == expected


@pytest.mark.parametrize(
    ("schedule", "retries", "expected"),
    [
        ("rate(1 hour)", 2, 3),
        ("rate(1 hour)", 1, 2),
        ("rate(1 hour)", 0, 1),
        ("rate(5 minutes)", 2, 2),
        ("rate(1 minute)", 2, 1),
    ],
)
def test_a_run_that_fails_is_started_again_as_often_as_stated_and_in_time(
    schedule: str, retries: int, expected: int
) -> None:
    assert a_job(name="pulse", schedule=schedule, retries=retries).attempts == expected


def test_the_function_is_told_what_to_run_and_when() -> None:
    tally = a_job(name="tally", schedule="rate(1 hour)").function_variables
    assert tally == {
        "JOB": "tally",
        "MAX_WINDOW_MINUTES": "1440",
        "CATCH_UP": "all",
        "MAX_HOURS": "24",
        "SCHEDULE": "rate(1 hour)",
        "TIME_ZONE": "UTC",
    }
    again = a_job(
        name="tally_at_night",
        module="tally",
        schedule="cron(15 3 * * ? *)",
        time_zone="Europe/Berlin",
        catch_up="latest",
        max_hours=2,
    )
    assert again.function_variables == {
        "JOB": "tally_at_night",
        "MODULE": "tally",
        "MAX_WINDOW_MINUTES": "2880",
        "CATCH_UP": "latest",
        "MAX_HOURS": "2",
        "SCHEDULE": "cron(15 3 * * ? *)",
        "TIME_ZONE": "Europe/Berlin",
    }


def test_the_function_has_the_jobs_own_variables_beside_them() -> None:
    own = {"LOG_LEVEL": "DEBUG", "API_URL": "https://api.example.com/v1"}
    job = a_job(name="tally", schedule="rate(1 hour)", variables=own)
    assert job.function_variables == {**own, **a_job(name="tally", schedule="rate(1 hour)").function_variables}


def test_settings_cannot_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        ENVIRONMENTS["basic"].made_database.multi_az = True
