"""A missing or malformed environment variable is named, with what to write."""

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
    Login,
    read_connections_needed,
    read_database,
    read_job,
    read_login,
    read_max_window,
    read_origin,
    read_rights,
)

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
    by_token = {"JOBS_USER": "jobs", "JOBS_AUTH": "iam", "JOBS_SECRET": "of nobody"}
    assert read_login(by_token, "JOBS") == Login(user="jobs", auth="iam", secret="")
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
        ({"DATABASE_USER": "jobs", "DATABASE_AUTH": "secret"}, "DATABASE_SECRET is missing: write the ARN"),
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
    assert read_max_window({"MAX_WINDOW_MINUTES": str(minutes)}) == timedelta(minutes=minutes)


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
        read_max_window({"MAX_WINDOW_MINUTES": value})
    assert message in str(caught.value)


def test_rights_are_read_per_table() -> None:
    assert read_rights({"RIGHTS": '{"event":"SELECT","event_hourly":"DELETE, INSERT, SELECT"}'}) == {
        "event": {"SELECT"},
        "event_hourly": {"DELETE", "INSERT", "SELECT"},
    }


def test_a_job_may_have_all_rights_on_rows_and_a_table_the_longest_name() -> None:
    table = "t" * 64
    assert read_rights({"RIGHTS": f'{{"{table}":"DELETE, INSERT, SELECT, UPDATE"}}'}) == {table: RIGHTS}
    with pytest.raises(ConfigurationError, match="write the name of a table"):
        read_rights({"RIGHTS": f'{{"{table}t":"SELECT"}}'})


def test_rights_too_many_for_a_variable_are_in_a_file_of_the_zip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configuration, "CODE", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"RIGHTS is 'rights\.json', and there is no such file in the zip"):
        read_rights({"RIGHTS": "rights.json"})
    (tmp_path / "rights.json").write_text('{"event":"INSERT, SELECT"}')
    assert read_rights({"RIGHTS": "rights.json"}) == {"event": frozenset({"INSERT", "SELECT"})}


def test_jobs_may_need_no_rights_at_all() -> None:
    assert read_rights({"RIGHTS": "{}"}) == {}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "RIGHTS is missing: write the rights per table"),
        ("pulse", "RIGHTS is 'pulse': write JSON like"),
        ("[]", "RIGHTS is '[]': write JSON like"),
        ('{"a":["SELECT"]}', "write JSON like"),
        ('{"a ":"SELECT"}', "RIGHTS has 'a ': write the name of a table, or schema.table"),
        ('{"mysql.user":"SELECT"}', "RIGHTS has 'mysql.user': write the name of a table"),
        ('{"a\\n":"SELECT"}', "RIGHTS has 'a\\n': write the name of a table"),
        ('{"a":""}', "RIGHTS['a'] has ['']: write some of ['DELETE', 'INSERT', 'SELECT', 'UPDATE']"),
        ('{"a":"SELECT, DROP"}', "RIGHTS['a'] has ['DROP', 'SELECT']: write some of"),
        ('{"a":"ALL PRIVILEGES"}', "RIGHTS['a'] has ['ALL PRIVILEGES']: write some of"),
        ('{"a":"select"}', "RIGHTS['a'] has ['select']: write some of"),
    ],
)
def test_wrong_rights_are_named(value: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_rights({"RIGHTS": value})
    assert message in str(caught.value)


def test_a_database_is_made_with_the_environment_unless_it_was_there_before() -> None:
    assert read_origin({}) == "made"
    assert read_origin({"DATABASE_ORIGIN": "made"}) == "made"
    assert read_origin({"DATABASE_ORIGIN": "existing"}) == "existing"
    with pytest.raises(ConfigurationError, match="DATABASE_ORIGIN is 'adopted': write made or existing"):
        read_origin({"DATABASE_ORIGIN": "adopted"})


def test_the_connections_that_an_environment_needs_are_counted_or_not_said() -> None:
    assert read_connections_needed({}) is None
    assert read_connections_needed({"CONNECTIONS_NEEDED": "12"}) == 12
    for wrong in ("0", "many", "-1"):
        with pytest.raises(ConfigurationError, match=r"CONNECTIONS_NEEDED is .* write a whole number from 1"):
            read_connections_needed({"CONNECTIONS_NEEDED": wrong})
