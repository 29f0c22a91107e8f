"""Lambda's side of the Runtime API: as strict about whose answer it accepts as AWS's own emulator is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from local.runtime_api import RuntimeApi

HANG_SECONDS = 30.0


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    api = RuntimeApi()
    thread = threading.Thread(target=api.serve)
    thread.start()
    yield api
    api.stop()
    thread.join(HANG_SECONDS)
    assert not thread.is_alive()


def ask(api: RuntimeApi, method: str, path: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", api.server_port, timeout=HANG_SECONDS)
    try:
        connection.request(method, f"/2018-06-01/runtime/{path}", body="{}" if method == "POST" else None)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def deliver(api: RuntimeApi, request_id: str) -> None:
    api.events.put(({"Lambda-Runtime-Aws-Request-Id": request_id}, "{}"))
    assert ask(api, "GET", "invocation/next") == (200, "{}")


def said(api: RuntimeApi) -> list[tuple[str, str]]:
    return [api.received.get_nowait() for _ in range(api.received.qsize())]


@pytest.mark.parametrize("what", ["response", "error"])
def test_an_answer_counts_for_the_request_that_is_in_flight(what: str, api: RuntimeApi) -> None:
    deliver(api, "one")
    assert ask(api, "POST", f"invocation/one/{what}")[0] == 202
    assert said(api) == [("next", ""), (what, "{}")]


@pytest.mark.parametrize("what", ["response", "error"])
def test_an_answer_for_an_earlier_request_is_refused_and_booked_to_none(what: str, api: RuntimeApi) -> None:
    deliver(api, "one")
    ask(api, "POST", "invocation/one/response")
    deliver(api, "two")
    said(api)
    status, body = ask(api, "POST", f"invocation/one/{what}")
    assert (status, json.loads(body)) == (400, {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"})
    assert said(api) == [("refused", f"one/{what}")]
    assert ask(api, "POST", "invocation/two/response")[0] == 202


def test_a_request_is_answered_once(api: RuntimeApi) -> None:
    deliver(api, "one")
    assert [ask(api, "POST", f"invocation/one/{what}")[0] for what in ("response", "error")] == [202, 400]


def test_an_error_while_loading_counts_before_the_first_request_and_not_after_it(api: RuntimeApi) -> None:
    assert ask(api, "POST", "init/error")[0] == 202
    deliver(api, "one")
    assert ask(api, "POST", "init/error")[0] == 400
