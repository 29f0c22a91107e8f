"""Tokens and signatures are those of AWS's own client; no secret is shown or sent in clear."""

import re
from datetime import UTC, datetime
from urllib.parse import quote

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import example, given
from hypothesis import strategies as st

from mysql_jobs import signature
from mysql_jobs.configuration import ConfigurationError, Database, Login
from mysql_jobs.credentials import Authentication, Credentials, iam_token
from mysql_jobs.deadline import Deadline
from mysql_jobs.signature import AccessKey, signed_headers

KEY_ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
DATABASE = Database(
    host="db.abc.eu-central-1.rds.amazonaws.com",
    port=13306,
    name="jobs",
    endpoint="instance",
    region="eu-central-1",
    certificates="unused.pem",
)


@pytest.fixture(params=["", "IQoJb3JpZ2luX2VjE/+==session"])
def session_token(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", request.param)
    token: str = request.param
    return token


@pytest.mark.parametrize("user", ["jobs", "a user?/~&=+ü"])
def test_iam_token_is_the_one_that_botocore_makes(user: str, session_token: str) -> None:
    rds = botocore.session.Session().create_client(
        "rds",
        region_name=DATABASE.region,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        aws_session_token=session_token or None,
    )
    expected = rds.generate_db_auth_token(DBHostname=DATABASE.host, Port=DATABASE.port, DBUsername=user)

    ours = iam_token(user=user, database=DATABASE, now=_signing_time(expected))

    assert _parts(ours) == _parts(expected)


def test_signed_headers_are_those_that_botocore_makes(session_token: str) -> None:
    host, body = "secretsmanager.eu-central-1.amazonaws.com", b'{"SecretId": "arn"}'
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": "secretsmanager.GetSecretValue",
    }
    request = AWSRequest("POST", f"https://{host}/", headers={**headers, "host": host}, data=body)
    keys = BotocoreCredentials(KEY_ID, SECRET, session_token or None)
    SigV4Auth(keys, "secretsmanager", "eu-central-1").add_auth(request)

    ours = signed_headers(
        host=host,
        headers=headers,
        body=body,
        service="secretsmanager",
        region="eu-central-1",
        key=AccessKey(id=KEY_ID, secret=SECRET, session_token=session_token),
        now=_signing_time(request.headers["X-Amz-Date"]),
    )

    assert ours == {name.lower(): value for name, value in request.headers.items()}


def test_a_login_by_token_has_one_signed_now_for_its_user(session_token: str) -> None:
    login = Login(user="jobs", auth="iam", secret="")
    found = Authentication(login=login, database=DATABASE).credentials(Deadline.after(0))  # nobody is asked
    signed_at = _signing_time(found.password)
    assert abs((datetime.now(UTC) - signed_at).total_seconds()) < 60
    assert found == Credentials("jobs", iam_token(user="jobs", database=DATABASE, now=signed_at))
    assert "X-Amz-Expires=900" in found.password
    assert ("X-Amz-Security-Token" in found.password) == bool(session_token)


def test_missing_aws_credentials_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with pytest.raises(ConfigurationError, match="AWS_ACCESS_KEY_ID is missing"):
        iam_token(user="jobs", database=DATABASE, now=datetime.now(UTC))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Credentials("jobs", "hunter2"), "Credentials(user='jobs')"),
        (AccessKey(id="AKIDEXAMPLE", secret="hunter2", session_token="hunter2"), "AccessKey(id='AKIDEXAMPLE')"),
    ],
)
def test_nothing_shows_a_password_or_a_key(value: object, shown: str) -> None:
    assert repr(value) == str(value) == f"{value}" == shown
    assert "hunter2" not in repr([value]) + str({"value": value}) + f"{value!r:>40} {value}"


# All of Unicode, and so all bytes that there are in a text of UTF-8.
@given(st.text(st.characters(codec="utf-8")))
@example("".join(map(chr, range(256))))
@example("\U0001f600")
def test_percent_encoding_is_that_of_the_standard_library(text: str) -> None:
    assert signature._encode(text) == quote(text, safe="-_.~")


def _signing_time(text: str) -> datetime:
    found = re.search(r"\d{8}T\d{6}Z", text)
    assert found
    return datetime.strptime(found[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _parts(token: str) -> tuple[str, list[str]]:
    # The order of the parameters differs; the signature covers them sorted.
    address, query = token.split("?")
    return address, sorted(query.split("&"))
