"""What Secrets Manager may answer, and what is made of it: the secret, an error for good, or one that may pass."""

import contextlib
import json
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mysql_jobs import network, secrets_manager
from mysql_jobs.configuration import ConfigurationError, Database, Login
from mysql_jobs.credentials import Authentication, Credentials, CredentialsError
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from mysql_jobs.signature import AccessKey, signed_headers

ARN = "arn:aws:secretsmanager:eu-central-1:1:secret:x"
SECRET = {"SecretString": json.dumps({"username": "jobs", "password": "hunter2"})}


@pytest.fixture(autouse=True)
def _function(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment variables that Lambda sets."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    for variable in ("AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECRETS_MANAGER"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., CredentialsError]:
    """The error that an answer of Secrets Manager leads to."""

    def ask(status: int, answer: object) -> CredentialsError:
        with _secrets_manager((status, answer)) as url:
            monkeypatch.setenv("AWS_ENDPOINT_URL", url)
            with pytest.raises(CredentialsError) as caught:
                _authentication().credentials(Deadline.after(20))
        return caught.value

    return ask


def test_a_secret_is_read_once_unless_it_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rotated = {"SecretString": json.dumps({"username": "jobs", "password": "hunter3"})}
    with _secrets_manager((200, SECRET), (200, rotated)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        authentication = _authentication()
        first = authentication.credentials(Deadline.after(20))
        assert first == Credentials("jobs", "hunter2")
        assert authentication.credentials(Deadline.after(20)) is first
        authentication.forget()
        assert authentication.credentials(Deadline.after(20)) == Credentials("jobs", "hunter3")


def test_the_request_names_the_secret_and_is_signed_for_secrets_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, bytes, dict[str, str]]] = []

    def post(endpoint: Any, body: bytes, headers: dict[str, str], _deadline: Deadline) -> tuple[int, dict[str, str]]:
        asked.append((endpoint, body, headers))
        return 200, SECRET

    monkeypatch.setattr(secrets_manager, "_post", post)
    _authentication().credentials(Deadline.after(20))
    [(endpoint, body, headers)] = asked
    assert json.loads(body) == {"SecretId": ARN}
    assert endpoint.netloc == "secretsmanager.eu-central-1.amazonaws.com"
    signed = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - signed).total_seconds()) < 60
    content = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "secretsmanager.GetSecretValue"}
    key = AccessKey(id="AKIDEXAMPLE", secret="secret", session_token="")
    service = {"service": "secretsmanager", "region": "eu-central-1"}
    assert headers == signed_headers(host=endpoint.netloc, headers=content, body=body, key=key, now=signed, **service)


@pytest.mark.parametrize(
    ("status", "kind", "transient"),
    [
        (400, "AccessDeniedException", False),
        (400, "com.amazonaws.secretsmanager#ResourceNotFoundException", False),
        (400, "ThrottlingException", True),
        (400, "com.amazonaws.secretsmanager#InternalServiceError", True),
        (499, "UnknownError", False),
        (500, "InternalFailure", True),
        (503, "ServiceUnavailable", True),
    ],
)
def test_an_error_of_aws_is_named_and_may_pass(
    status: int, kind: str, transient: bool, ask: Callable[..., CredentialsError]
) -> None:
    error = ask(status, {"__type": kind, "message": "for a reason"})
    name = kind.removeprefix("com.amazonaws.secretsmanager#")
    assert str(error) == f"Secrets Manager refused {ARN}: {name}: for a reason"
    assert error.transient is transient


@pytest.mark.parametrize("key", ["message", "Message"])
def test_an_error_without_a_name_is_its_status(key: str, ask: Callable[..., CredentialsError]) -> None:
    assert str(ask(418, {key: "a teapot"})) == f"Secrets Manager refused {ARN}: 418: a teapot"


@pytest.mark.parametrize(
    "answer",
    [
        *({}, {"SecretString": None}, {"SecretString": "hunter2"}, {"SecretString": "[1]"}),
        {"SecretString": '{"username": "jobs", "password": 7}'},
        {"SecretString": '{"username": 7, "password": "hunter2"}'},
    ],
)
def test_a_secret_without_a_password_stays_without(
    answer: dict[str, object], ask: Callable[..., CredentialsError]
) -> None:
    error = ask(200, answer)
    assert str(error) == f"secret {ARN} is not a JSON object with username and password, both text"
    assert not error.transient
    assert (error.__cause__, error.__context__) == (None, None), "they would quote the secret"


@pytest.mark.parametrize("answer", [[], "text", b"<html>"])
def test_an_answer_of_somebody_else_may_pass(answer: object, ask: Callable[..., CredentialsError]) -> None:
    error = ask(200, answer)
    assert str(error).startswith("Secrets Manager at 127.0.0.1:")
    assert f"gave an unreadable answer for {ARN}: " in str(error)
    assert error.transient


HIDDEN = "hunter2 and more"
"""A password that no error may show."""


@given(
    status=st.sampled_from([200, 200, 200, 400, 500]),
    before=st.binary(max_size=20),
    after=st.binary(max_size=20),
    cut=st.integers(0, 200),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]),
    key=st.sampled_from(["password", "Password", "SecretString"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_error_of_an_answer_with_a_secret_shows_it(
    status: int, before: bytes, after: bytes, cut: int, encoding: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does an error behind it: Lambda, and whoever catches it, may print the whole chain."""
    secret = json.dumps({"SecretString": json.dumps({"username": "jobs", key: HIDDEN})}).encode(encoding)
    answer = before + secret[: len(secret) - cut if cut < 40 else None] + after
    with _secrets_manager((status, answer)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        try:
            _authentication().credentials(Deadline.after(20))
        except CredentialsError as error:
            told = "".join(traceback.format_exception(error)) + "".join(map(repr, _chain(error)))
            assert HIDDEN[:7] not in told


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("words", [b"", b"220 mail ready\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
def test_an_answer_that_is_cut_off_or_no_http_may_pass(words: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with _speak(words) as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(CredentialsError, match=r"did not answer|gave an unreadable answer") as caught:
            _authentication().credentials(Deadline.after(20))
    assert caught.value.transient


@pytest.mark.parametrize("fails", ["nothing", "Watchdog", "request", "getresponse", "read"])
def test_nothing_is_left_of_a_question_however_it_ends(fails: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = mock.Mock()
    calls.open_socket.return_value = (calls.connected, "127.0.0.1")
    connection = calls.HTTPConnection.return_value
    connection.getresponse.return_value.read.return_value = json.dumps(SECRET)
    for name in ("open_socket", "Watchdog", "close_half_made"):
        monkeypatch.setattr(secrets_manager, name, getattr(calls, name))
    monkeypatch.setattr("http.client.HTTPConnection", calls.HTTPConnection)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:4566")
    error = OSError("lost")
    for name, failing in {
        "Watchdog": calls.Watchdog,
        "request": connection.request,
        "getresponse": connection.getresponse,
        "read": connection.getresponse.return_value.read,
    }.items():
        failing.side_effect = error if name == fails else None
    connection.getresponse.return_value.status = 200
    with pytest.raises(CredentialsError, match="lost") if fails != "nothing" else contextlib.nullcontext():
        assert _authentication().credentials(Deadline.after(20)) == Credentials("jobs", "hunter2")
    assert calls.mock_calls[0] == mock.call.open_socket("localhost", 4566, mock.ANY)
    assert mock.call.HTTPConnection("localhost", 4566) in calls.mock_calls
    if fails in ("nothing", "getresponse", "read"):
        assert connection.request.call_args_list == [
            mock.call("POST", "/", body=json.dumps({"SecretId": ARN}).encode(), headers=mock.ANY)
        ]
    assert connection.close.called
    assert calls.connected.close.called
    assert calls.Watchdog.return_value.dismiss.called == (fails != "Watchdog")
    assert calls.close_half_made.call_args_list == ([] if fails == "nothing" else [mock.call(error)])


def test_an_answer_that_never_comes_is_bounded_by_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(CredentialsError, match="did not answer") as caught:
            _authentication().credentials(Deadline.after(0.2))
    assert caught.value.transient
    assert not [thread for thread in threading.enumerate() if thread.name == "watchdog"]


def test_nobody_is_asked_after_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mysql_jobs.secrets_manager.open_socket", lambda *_: pytest.fail("somebody was asked"))
    with pytest.raises(DeadlineExceeded, match="no time left for asking Secrets Manager"):
        _authentication().credentials(Deadline.after(0))


def test_the_password_comes_through_tls_that_is_verified(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    for name, trusted in ("authority", authority), ("stranger", stranger):
        trusted.cert_pem.write_to_path(tmp_path / name)
    with _secrets_manager((200, SECRET), tls=context) as url, _public_authority(monkeypatch, tmp_path / "authority"):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        assert _authentication().credentials(Deadline.after(20)) == Credentials("jobs", "hunter2")
        assert network.public_tls() is network.public_tls(), "each build reads every authority of the system"
    with _secrets_manager(tls=context) as url, _public_authority(monkeypatch, tmp_path / "stranger"):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(CredentialsError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            _authentication().credentials(Deadline.after(20))
    assert not caught.value.transient


@pytest.mark.parametrize(
    "endpoint", ["http://secrets.example.com", "http://127.0.0.1.example.com:80", "ftp://localhost"]
)
def test_a_password_is_not_asked_for_in_clear(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(ConfigurationError, match="write an https address"):
        _authentication().credentials(Deadline.after(5))


@pytest.mark.parametrize(
    ("region", "variables", "address"),
    [
        ("eu-central-1", {}, ("secretsmanager.eu-central-1.amazonaws.com", 443)),
        ("cn-north-1", {}, ("secretsmanager.cn-north-1.amazonaws.com.cn", 443)),
        ("eu-central-1", {"": "https://vpce-1.example.com"}, ("vpce-1.example.com", 443)),
        ("eu-central-1", {"": "https://vpce-1.example.com:8443"}, ("vpce-1.example.com", 8443)),
        ("eu-central-1", {"": "http://localhost"}, ("localhost", 80)),
        ("eu-central-1", {"": "http://127.0.0.1:4566"}, ("127.0.0.1", 4566)),
        ("eu-central-1", {"_SECRETS_MANAGER": "https://mine"}, ("mine", 443)),
        ("eu-central-1", {"": "https://all", "_SECRETS_MANAGER": "https://mine"}, ("mine", 443)),
    ],
)
def test_secrets_manager_is_where_the_sdks_look_for_it(
    region: str, variables: dict[str, str], address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def open_socket(host: str, port: int, _deadline: Deadline) -> Any:
        asked.append((host, port))
        raise OSError("nobody there")

    monkeypatch.setattr("mysql_jobs.secrets_manager.open_socket", open_socket)
    for suffix, url in variables.items():
        monkeypatch.setenv(f"AWS_ENDPOINT_URL{suffix}", url)
    with pytest.raises(CredentialsError, match="nobody there"):
        _authentication(region).credentials(Deadline.after(20))
    assert asked == [address]


def _authentication(region: str = "eu-central-1") -> Authentication:
    database = Database(
        host="localhost", port=3306, name="jobs", endpoint="instance", region=region, certificates="unused.pem"
    )
    return Authentication(login=Login(user="jobs", auth="secret", secret=ARN), database=database)


@contextlib.contextmanager
def _public_authority(monkeypatch: pytest.MonkeyPatch, certificates: Path) -> Iterator[None]:
    """The one that this machine trusts."""
    network.public_tls.cache_clear()
    with monkeypatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(certificates))
        yield
    network.public_tls.cache_clear()


@contextlib.contextmanager
def _secrets_manager(*answers: tuple[int, object], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Gives each of the answers in turn, as JSON unless it is bytes; yields its address."""
    left = list(answers)

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = left.pop(0)
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base class)
            pass

    class Server(HTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that leaves during its TLS handshake says so itself."""

    with Server(("127.0.0.1", 0), Answer) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"https://localhost:{server.server_port}" if tls else f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
    assert left == []


@contextlib.contextmanager
def _speak(words: bytes) -> Iterator[int]:
    """Says this to its one caller, whatever it asks, and hangs up; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _address = listener.accept()
            with peer:
                asked = b""
                while not asked.endswith(b"}"):
                    asked += peer.recv(4096)
                peer.sendall(words)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(30)
    assert not thread.is_alive()
