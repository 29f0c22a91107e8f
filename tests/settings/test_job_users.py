"""Each job has a database user of its own: its name, its limit, and what the migrate function is told of it."""

import json
import re

import pytest

from settings.job_users import JobUser, fits_variable, job_user, logins, most_connections, rights_text, watcher_user
from settings.names import database_user, database_users
from tests.fixture import a_job


def test_a_user_is_named_after_its_environment_and_its_job() -> None:
    assert database_user("basic", "pulse") == "job_basic_pulse"
    assert database_user("basic", "j" * 22) == f"job_basic_{'j' * 22}"  # 32 characters


@pytest.mark.parametrize(("environment", "job"), [("basic", "j" * 23), ("e" * 16, "j" * 31)])
def test_a_name_that_does_not_fit_ends_in_a_hash_that_no_jobs_name_looks_like(environment: str, job: str) -> None:
    names = {database_user(environment, job), database_user(environment, f"{job[:-1]}k")}
    assert len(names) == 2
    for name in names:
        assert re.fullmatch(rf"job_{environment}_j+-[0-9a-f]{{8}}", name)
        assert len(name) == 32
        assert name.startswith(database_users(environment).removesuffix("*"))


@pytest.mark.parametrize(("environment", "other"), [("a", "aa"), ("aa", "a")])
def test_no_user_of_another_environment_fits_the_pattern_of_one(environment: str, other: str) -> None:
    assert not database_user(other, "a_b").startswith(database_users(environment).removesuffix("*"))


def test_a_user_has_the_rights_and_the_connections_of_its_job_alone() -> None:
    job = a_job(name="tally", schedule="rate(1 hour)", concurrency=2)
    told = json.loads(rights_text([job_user(job, environment="basic", proxy=False)]))
    assert told == {
        "tally": {
            "user": "job_basic_tally",
            "connections": 5,
            "tables": {"event": "SELECT", "event_hourly": "DELETE, INSERT, SELECT"},
        }
    }


def test_the_watcher_reads_the_ledger_keeps_its_own_notes_and_touches_no_table_of_a_job() -> None:
    told = json.loads(rights_text([watcher_user(environment="basic", proxy=False)]))
    assert told == {
        "watch": {
            "user": "job_basic_watch",
            "connections": 3,
            "tables": {},
            "own": {"ledger": "SELECT", "watched": "DELETE, INSERT, SELECT, UPDATE"},
        }
    }
    assert watcher_user(environment="basic", proxy=True).connections == 0


def test_who_logs_in_are_the_jobs_and_what_watches_them() -> None:
    job = a_job(name="tally", schedule="rate(1 hour)")
    assert logins([job]) == ["tally", "watch"]
    assert logins([]) == []


def test_a_run_its_kill_and_a_session_that_is_rolled_back_have_a_connection() -> None:
    assert [most_connections(concurrency) for concurrency in (1, 2, 100)] == [3, 5, 201]


def test_how_many_connections_a_proxy_opens_is_its_own_affair() -> None:
    job = a_job(name="tally", schedule="rate(1 hour)")
    assert job_user(job, environment="basic", proxy=True).connections == 0


def test_rights_are_compact_and_sorted() -> None:
    one = JobUser("b", "job_b", 3, {"b": frozenset({"SELECT", "INSERT"}), "a": frozenset({"SELECT"})})
    other = JobUser("a", "job_a", 3, {})
    assert rights_text([one, other]) == (
        '{"a":{"connections":3,"tables":{},"user":"job_a"},'
        '"b":{"connections":3,"tables":{"a":"SELECT","b":"INSERT, SELECT"},"user":"job_b"}}'
    )


def test_rights_of_more_than_3000_characters_do_not_fit_beside_what_else_lambda_allows() -> None:
    empty = len(rights_text([JobUser("", "job_a", 3, {})]))
    assert fits_variable(rights_text([JobUser("j" * (3000 - empty), "job_a", 3, {})]))
    assert not fits_variable(rights_text([JobUser("j" * (3001 - empty), "job_a", 3, {})]))
