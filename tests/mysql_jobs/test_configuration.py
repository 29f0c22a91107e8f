"""A missing or malformed environment variable is named, with what to write."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from mysql_jobs import configuration
from mysql_jobs.configuration import (
    CERTIFICATES,
    RIGHTS,
    ConfigurationError,
    Database,
    JobUser,
    Login,
    WatchedJob,
    read_database,
    read_job,
    read_job_users,
    read_login,
    read_max_hours,
    read_module,
    read_terms,
    read_timetable,
    read_watched,
)
from mysql_jobs.timetable import Timetable

DATABASE = {
    "AWS_REGION": "eu-central-1",
    "DATABASE_HOST": "db.example.com",
    "DATABASE_PORT": "13306",
    "DATABASE_NAME": "jobs",
    "DATABASE_ENDPOINT": "instance",
}


@pytest.mark.parametrize("endpoint", ["instance", "proxy"])
@pytest.mark.parametrize("port", [1, 13306, 65535])
def test_the_database_is_the_one_described_and_the_regions_own_certificates_are_trusted(
    endpoint: Literal["instance", "proxy"], port: int
) -> None:
    assert read_database({**DATABASE, "DATABASE_ENDPOINT": endpoint, "DATABASE_PORT": str(port)}) == Database(
        host="db.example.com",
        port=port,
        name="jobs",
        endpoint=endpoint,
        region="eu-central-1",
        certificates=f"{CERTIFICATES}/eu-central-1.pem",
    )


def test_a_login_is_by_token_or_by_the_named_secret() -> None:
    by_token = {"DATABASE_USER": "jobs", "DATABASE_AUTH": "iam", "DATABASE_SECRET": "of nobody"}
    assert read_login(by_token) == Login(user="jobs", auth="iam", secret="")
    by_secret = {"DATABASE_USER": "master", "DATABASE_AUTH": "secret", "DATABASE_SECRET": "arn:of-the-secret"}
    assert read_login(by_secret) == Login(user="master", auth="secret", secret="arn:of-the-secret")


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("AWS_REGION", "", "AWS_REGION is missing: write the region"),
        ("AWS_REGION", "atlantis-1", "no certificate authorities for AWS_REGION 'atlantis-1'"),
        ("DATABASE_CERTIFICATES", "/no/such.pem", "/no/such.pem does not exist"),
        ("DATABASE_HOST", "", "DATABASE_HOST is missing"),
        ("DATABASE_PORT", "", "DATABASE_PORT is missing"),
        ("DATABASE_PORT", "mysql", "DATABASE_PORT is 'mysql': write a whole number from 1 to 65535"),
        ("DATABASE_PORT", "0", "DATABASE_PORT is '0'"),
        ("DATABASE_PORT", "²", "DATABASE_PORT is '²'"),
        ("DATABASE_PORT", "65536", "DATABASE_PORT is '65536'"),
        ("DATABASE_PORT", "-1", "DATABASE_PORT is '-1'"),
        ("DATABASE_ENDPOINT", "", "DATABASE_ENDPOINT is missing: write instance or proxy"),
        ("DATABASE_ENDPOINT", "replica", "DATABASE_ENDPOINT is 'replica': write instance or proxy"),
        ("DATABASE_NAME", "jobs`; DROP", "DATABASE_NAME is 'jobs`; DROP': write at most 31 small letters"),
    ],
)
def test_a_wrong_database_variable_is_named(variable: str, value: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_database({**DATABASE, variable: value})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "DATABASE_USER is missing"),
        ({"DATABASE_USER": "jobs"}, "DATABASE_AUTH is missing: write iam or secret"),
        ({"DATABASE_USER": "jobs", "DATABASE_AUTH": "password"}, "DATABASE_AUTH is 'password': write iam or secret"),
        ({"DATABASE_USER": "jobs", "DATABASE_AUTH": "secret"}, "DATABASE_SECRET is missing: write the secret"),
    ],
)
def test_a_wrong_login_variable_is_named(variables: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_login(variables)
    assert message in str(caught.value)


@pytest.mark.parametrize("value", ["", "../handler", "Pulse", "os.path", "j" * 32])
def test_a_job_that_is_no_modules_name_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="JOB"):
        read_job({"JOB": value})


def test_a_name_may_have_31_characters() -> None:
    assert read_job({"JOB": "j" * 31}) == "j" * 31


@pytest.mark.parametrize("minutes", [1, 1440])
def test_the_longest_window_is_in_minutes(minutes: int) -> None:
    assert read_terms({"MAX_WINDOW_MINUTES": str(minutes)}).max_window == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "MAX_WINDOW_MINUTES is missing: write a number of minutes"),
        ("0", "MAX_WINDOW_MINUTES is '0': write a whole number from 1"),
        ("-5", "MAX_WINDOW_MINUTES is '-5': write a whole number from 1"),
        ("1.5", "MAX_WINDOW_MINUTES is '1.5': write a whole number from 1"),
        ("a day", "MAX_WINDOW_MINUTES is 'a day': write a whole number from 1"),
        ("²", "MAX_WINDOW_MINUTES is '²': write a whole number from 1"),
    ],
)
def test_a_wrong_longest_window_is_named(value: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_terms({"MAX_WINDOW_MINUTES": value})
    assert message in str(caught.value)


def test_the_module_is_the_jobs_name_unless_another_is_said() -> None:
    assert read_module({"JOB": "pulse"}) == "pulse"
    assert read_module({"JOB": "pulse", "MODULE": "tally"}) == "tally"
    with pytest.raises(ConfigurationError, match="MODULE is 'no module'"):
        read_module({"JOB": "pulse", "MODULE": "no module"})


@pytest.mark.parametrize("catch_up", ["all", "latest", "none"])
def test_what_is_caught_up_is_one_of_three(catch_up: str) -> None:
    assert read_terms({"MAX_WINDOW_MINUTES": "5", "CATCH_UP": catch_up}).catch_up == catch_up
    with pytest.raises(ConfigurationError, match="CATCH_UP is 'some': write all, latest or none"):
        read_terms({"MAX_WINDOW_MINUTES": "5", "CATCH_UP": "some"})


def test_without_being_told_all_is_caught_up_for_a_day_and_no_other_time_is_known() -> None:
    assert read_terms({"MAX_WINDOW_MINUTES": "5"}).catch_up == "all"
    assert read_max_hours({}) == timedelta(hours=24)
    assert read_timetable({}) == Timetable("", "UTC")


def test_the_schedule_and_its_hours_are_as_told() -> None:
    told = {"SCHEDULE": "cron(0 9 * * ? *)", "TIME_ZONE": "Europe/Berlin", "MAX_HOURS": "3", "MAX_WINDOW_MINUTES": "5"}
    assert read_timetable(told) == read_terms(told).times == Timetable("cron(0 9 * * ? *)", "Europe/Berlin")
    assert read_max_hours(told) == timedelta(hours=3)
    with pytest.raises(ConfigurationError, match="MAX_HOURS is '0'"):
        read_max_hours({"MAX_HOURS": "0"})


WATCHED_TALLY = '{"tally": {"schedule": "rate(1 hour)", "time_zone": "UTC", "allowance_seconds": 60, %s}}'


def test_the_watcher_is_told_of_each_job_how_late_it_may_be() -> None:
    [found] = read_watched({"WATCHED": WATCHED_TALLY % '"silence_seconds": 3660, "max_window_seconds": 86400'})
    assert found == WatchedJob(
        job="tally",
        timetable=Timetable("rate(1 hour)", "UTC"),
        allowance=timedelta(minutes=1),
        silence=timedelta(minutes=61),
        max_window=timedelta(days=1),
    )
    [whole] = read_watched({"WATCHED": WATCHED_TALLY % '"silence_seconds": 3660'})
    assert whole == found._replace(max_window=None)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "WATCHED is missing: write the jobs to look after, like"),
        ("tally", "WATCHED is 'tally': write JSON like"),
        ("watched.json", "there is no such file in the zip: deploy again"),
        (WATCHED_TALLY % '"silence": 3', "WATCHED is malformed (KeyError('silence_seconds')): write JSON like"),
        (WATCHED_TALLY % '"silence_seconds": "3"', "WATCHED is malformed (TypeError("),
    ],
)
def test_what_the_watcher_cannot_read_is_said(value: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_watched({"WATCHED": value})
    assert message in str(caught.value)


RIGHTS_OF_TALLY = (
    '{"tally": {"user": "job_basic_tally", "connections": 3, '
    '"tables": {"event": "SELECT", "event_hourly": "DELETE, INSERT, SELECT"}}}'
)


def test_each_job_has_a_user_with_rights_per_table() -> None:
    [found] = read_job_users({"RIGHTS": RIGHTS_OF_TALLY, "JOBS_AUTH": "iam"})
    rights = {"event": frozenset({"SELECT"}), "event_hourly": frozenset({"DELETE", "INSERT", "SELECT"})}
    login = Login(user="job_basic_tally", auth="iam", secret="")
    assert found == JobUser(job="tally", login=login, connections=3, rights=rights, own={"ledger": RIGHTS})


def test_each_job_has_a_secret_named_after_it() -> None:
    variables = {"RIGHTS": RIGHTS_OF_TALLY, "JOBS_AUTH": "secret", "JOBS_SECRETS": "basic/"}
    [found] = read_job_users(variables)
    assert found.login == Login(user="job_basic_tally", auth="secret", secret="basic/tally")
    with pytest.raises(ConfigurationError, match="JOBS_SECRETS is missing"):
        read_job_users({**variables, "JOBS_SECRETS": ""})


def test_a_job_may_have_all_rights_on_rows_and_a_table_the_longest_name() -> None:
    table = "t" * 64
    assert _rights(f'{{"{table}":"DELETE, INSERT, SELECT, UPDATE"}}') == {table: RIGHTS}
    with pytest.raises(ConfigurationError, match="write the name of a table"):
        _rights(f'{{"{table}t":"SELECT"}}')


def test_the_watcher_has_rights_on_the_engines_own_tables_alone() -> None:
    own = '"own": {"ledger": "SELECT", "watched": "INSERT, SELECT"}'
    told = f'{{"watch": {{"user": "job_basic_watch", "connections": 3, "tables": {{}}, {own}}}}}'
    [found] = read_job_users({"RIGHTS": told, "JOBS_AUTH": "iam"})
    assert found.rights == {}
    assert found.own == {"ledger": frozenset({"SELECT"}), "watched": frozenset({"INSERT", "SELECT"})}
    with pytest.raises(ConfigurationError, match="as own tables of watch"):
        read_job_users({"RIGHTS": told.replace("watched", "migration"), "JOBS_AUTH": "iam"})


def _rights(tables: str, user: str = '"job_a"', connections: str = "1") -> Mapping[str, frozenset[str]]:
    rights = f'{{"a": {{"user": {user}, "connections": {connections}, "tables": {tables}}}}}'
    [found] = read_job_users({"RIGHTS": rights, "JOBS_AUTH": "iam"})
    return found.rights


def test_rights_too_many_for_a_variable_are_in_a_file_of_the_zip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configuration, "CODE", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"RIGHTS is 'rights\.json', and there is no such file in the zip"):
        read_job_users({"RIGHTS": "rights.json", "JOBS_AUTH": "iam"})
    (tmp_path / "rights.json").write_text(RIGHTS_OF_TALLY)
    in_variable, in_file = (
        read_job_users({"RIGHTS": told, "JOBS_AUTH": "iam"}) for told in (RIGHTS_OF_TALLY, "rights.json")
    )
    assert in_file == in_variable


def test_there_may_be_no_jobs_and_no_rights() -> None:
    assert read_job_users({"RIGHTS": "{}", "JOBS_AUTH": "iam"}) == []
    assert _rights("{}") == {}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "RIGHTS is missing: write the jobs' users, like"),
        ("pulse", "RIGHTS is 'pulse': write JSON like"),
        ("[]", "RIGHTS is '[]': write JSON like"),
        ('{"pulse": "SELECT"}', "RIGHTS is malformed"),
        ('{"pulse": {"user": "job_pulse"}}', "RIGHTS is malformed (KeyError('connections')): write JSON like"),
    ],
)
def test_what_are_no_rights_is_said(value: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_job_users({"RIGHTS": value, "JOBS_AUTH": "iam"})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("rights", "message"),
    [
        ({"tables": '{"a": ["SELECT"]}'}, "RIGHTS is malformed"),
        ({"tables": '{"mysql.user": "SELECT"}'}, "RIGHTS has 'mysql.user' for the job a: write the name of a table"),
        ({"tables": '{"a ": "SELECT"}'}, "RIGHTS has 'a ' for the job a: write the name of a table, or schema.table"),
        ({"tables": '{"a\\n": "SELECT"}'}, "RIGHTS has 'a\\n' for the job a: write the name of a table"),
        ({"tables": '{"a": ""}'}, "RIGHTS has [''] for a, a: write some of ['DELETE', 'INSERT', 'SELECT', 'UPDATE']"),
        ({"tables": '{"a": "SELECT, DROP"}'}, "RIGHTS has ['DROP', 'SELECT'] for a, a: write some of"),
        ({"tables": '{"a": "ALL PRIVILEGES"}'}, "RIGHTS has ['ALL PRIVILEGES'] for a, a: write some of"),
        ({"tables": '{"a": "select"}'}, "RIGHTS has ['select'] for a, a: write some of"),
        ({"tables": "{}", "user": '"job`a"'}, "RIGHTS has the user 'job`a': write at most 32 small letters"),
        ({"tables": "{}", "user": f'"{"j" * 33}"'}, "write at most 32 small letters"),
        ({"tables": "{}", "user": '""'}, "RIGHTS has the user ''"),
        ({"tables": "{}", "connections": '"3"'}, "RIGHTS has '3' connections: write a whole number from 0"),
        ({"tables": "{}", "connections": "-1"}, "RIGHTS has -1 connections"),
    ],
)
def test_wrong_rights_are_named(rights: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _rights(**rights)
    assert message in str(caught.value)


def test_a_user_may_have_32_characters_and_a_hyphen() -> None:
    name = f"job-{'j' * 28}"
    assert read_login({"DATABASE_USER": name, "DATABASE_AUTH": "iam"}).user == name
