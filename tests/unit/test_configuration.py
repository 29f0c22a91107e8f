"""A missing or malformed environment variable is named, with what to write."""

import pytest

from configuration import ConfigurationError, read_database, read_job, read_jobs, read_login

DATABASE = {
    "AWS_REGION": "eu-central-1",
    "DATABASE_HOST": "db.example.com",
    "DATABASE_PORT": "13306",
    "DATABASE_NAME": "jobs",
    "DATABASE_ENDPOINT": "instance",
}


def test_the_regions_own_certificates_are_trusted() -> None:
    assert read_database(DATABASE).certificates.name == "eu-central-1.pem"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("AWS_REGION", "", "AWS_REGION is missing: write the region"),
        ("AWS_REGION", "atlantis-1", "no certificate authorities for AWS_REGION 'atlantis-1'"),
        ("DATABASE_CERTIFICATES", "/no/such.pem", "/no/such.pem does not exist"),
        ("DATABASE_HOST", "", "DATABASE_HOST is missing"),
        ("DATABASE_PORT", "", "DATABASE_PORT is missing"),
        ("DATABASE_PORT", "mysql", "DATABASE_PORT is 'mysql': write a whole number from 1 to 65535"),
        ("DATABASE_PORT", "65536", "DATABASE_PORT is '65536'"),
        ("DATABASE_PORT", "-1", "DATABASE_PORT is '-1'"),
        ("DATABASE_ENDPOINT", "", "DATABASE_ENDPOINT is missing: write instance or proxy"),
        ("DATABASE_ENDPOINT", "replica", "DATABASE_ENDPOINT is 'replica': write instance or proxy"),
        ("DATABASE_NAME", "jobs`; DROP", "DATABASE_NAME is 'jobs`; DROP': write at most 32 small letters"),
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


@pytest.mark.parametrize("value", ["", "../handler", "Heartbeat", "os.path"])
def test_a_job_that_is_no_modules_name_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="JOB"):
        read_job({"JOB": value})
    with pytest.raises(ConfigurationError, match="JOBS"):
        read_jobs({"JOBS": f"heartbeat,{value}"})
