"""A job's own variables are what Lambda takes, and take nothing from the engine."""

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.synthesis import synthesize
from local.made_once import made_once
from mysql_jobs.configuration import RIGHTS
from review.templates import at, read_environments
from settings.own_variables import OTHERS_BYTES, measured, variable_mistakes, why_taken
from settings.project import ENGINE
from tests.fixture import VARIANTS, FilesIn, a_job


def test_no_job_can_take_a_variable_that_a_function_has(assembly: Path, shared: Path) -> None:
    variants = made_once(shared, "variants.out", lambda folder: synthesize(FilesIn(VARIANTS), folder))
    there = {
        name
        for environment in (*read_environments(assembly).values(), *read_environments(variants).values())
        for function in environment.of("AWS::Lambda::Function")
        for name in at(function, "Environment", "Variables") or {}
    } - {"LOG_LEVEL"}  # a job's own, in a variant
    assert {"JOB", "RES_OPTIONS", "DATABASE_HOST", "OWN_SCHEMA", "METRICS", "WATCHED"} <= there
    assert {name for name in there if why_taken(name) is None} == set()


def test_no_job_can_take_a_variable_that_the_engine_reads() -> None:
    read = ast.walk(ast.parse((ENGINE / "configuration.py").read_text()))
    texts = {each.value for each in read if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    names = {each for each in texts if re.fullmatch("[A-Z][A-Z_]+", each)} - RIGHTS - {"UTC"}
    assert len(names) > 20
    assert {name for name in names if why_taken(name) is None} == set()


@pytest.mark.parametrize(
    "name",
    [
        *("AWS_ENDPOINT_URL", "AWS_LAMBDA_EXEC_WRAPPER", "TZ", "PYTHONPATH", "LD_PRELOAD", "PATH", "SSL_CERT_FILE"),
        *("SSLKEYLOGFILE", "OPENSSL_CONF", "HOSTALIASES", "LC_ALL", "database_host", "Job"),
    ],
)
def test_no_job_can_take_what_changes_the_process_in_small_letters_neither(name: str) -> None:
    assert why_taken(name)


@pytest.mark.parametrize(
    "name", ["JOB_SIZE", "JOBSIZE", "LANGUAGES", "HTTPS_PROXY", "SCHEDULES_URL", "MY_DATABASE_HOST"]
)
def test_names_that_are_only_like_them_are_free(name: str) -> None:
    assert why_taken(name) is None


@given(st.from_regex(r"X[A-Z_]{1,10}", fullmatch=True), st.integers() | st.booleans() | st.uuids())
def test_a_number_a_flag_and_a_uuid_pass(name: str, value: object) -> None:
    assert a_job(name="pulse", schedule="rate(1 hour)", variables={name: str(value)}).variables == {name: str(value)}


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3))
def test_there_is_one_mistake_of_a_variable_at_most_and_what_has_none_is_as_lambda_takes_it(
    variables: dict[str, str],
) -> None:
    for name, value in variables.items():
        mistakes = list(variable_mistakes({name: value}))
        assert len(mistakes) <= 1
        if not mistakes:
            assert re.fullmatch("[a-zA-Z]([a-zA-Z0-9_])+", name)
            assert value.isprintable()


def test_no_message_quotes_a_secret() -> None:
    secrets = {"API_KEY": "hunter2", "URL": "https://jobs:hunter2@example.com", "JOB": "hunter2", "LINES": "hunter2\n"}
    mistakes = list(variable_mistakes(secrets))
    assert len(mistakes) == 4
    assert not any("hunter2" in each for each in mistakes)


def test_lambda_counts_the_variables_as_json() -> None:
    assert measured({"A_": 'ü"', "B_": "x"}) == len(rb'{"A_":"..\"","B_":"x"}')


def test_the_longest_login_has_room() -> None:
    others = {
        "RES_OPTIONS": "timeout:1 attempts:2",
        "METRICS": f"mysql-jobs/{'e' * 16}",
        "DATABASE_HOST": "h" * 255,  # of a name in DNS
        "DATABASE_PORT": "65535",
        "DATABASE_NAME": "n" * 64,
        "OWN_SCHEMA": "s" * 64,
        "DATABASE_ENDPOINT": "instance",
        "DATABASE_USER": "u" * 32,
        "DATABASE_AUTH": "secret",
        "DATABASE_SECRET": f"{'e' * 16}-mysql-jobs/{'j' * 31}",
    }
    assert measured(others) <= OTHERS_BYTES
