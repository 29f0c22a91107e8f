"""MiniStack, which also hands the result of an asynchronous invocation to the function's on-success event bus.

MiniStack itself retries such an invocation and hands over failures only; and what a rule of EventBridge invokes, it
runs once and forgets. Here, both are as on AWS; its own rules decide what follows. `local.emulator` starts it, by path.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator
from contextvars import ContextVar, copy_context
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from ministack import app
from ministack.services import eventbridge, lambda_svc

READ = "1.5.33"
"""The version whose code was read for this: four functions of it, all internal."""

_attempts: ContextVar[Iterator[int] | None] = ContextVar("attempts", default=None)
"""Counts how often a function is tried, within one asynchronous invocation; None in a synchronous one."""
_execute = lambda_svc._execute_function
_invoke_asynchronously = lambda_svc.invoke_async_with_retry


def main() -> None:
    """Run the emulator until it is told to end."""
    if version("ministack") != READ:
        raise SystemExit(f"MiniStack is {version('ministack')}: see whether {__file__}, made for {READ}, still fits it")
    lambda_svc.invoke_async_with_retry = invoke_asynchronously
    lambda_svc._execute_function = execute
    eventbridge._dispatch_to_lambda = invoke_by_rule
    app.main()


def invoke_by_rule(arn: str, payload: str) -> None:
    """Invoke a rule's target, as Lambda does when EventBridge asks: asynchronously, with retries and destinations."""
    function, configuration, name = lambda_svc._get_func_record_for_ref(arn)
    if not (function and configuration):
        raise LookupError(f"there is no function {name}")  # which MiniStack logs, as it does with a target's failures
    invoke_asynchronously(lambda_svc._execution_record_for_config(function, configuration), json.loads(payload))


def invoke_asynchronously(function: dict[str, Any], event: object) -> None:
    """Return at once; MiniStack's thread, which gets a copy of this context, tries until it succeeds or gives up."""
    context = copy_context()
    context.run(_attempts.set, itertools.count(1))
    context.run(_invoke_asynchronously, function, event)


def execute(function: dict[str, Any], event: object) -> dict[str, Any]:
    """Try once; if that succeeded, and nobody waits for the result, hand it over."""
    result: dict[str, Any] = _execute(function, event)
    attempts = _attempts.get()
    attempt = next(attempts) if attempts else 0
    if attempt and not result.get("error"):
        _hand_over(function, event, result.get("body"), attempt)
    return result


def _hand_over(function: dict[str, Any], event: object, answer: object, attempt: int) -> None:
    configuration = (function.get("event_invoke_configs") or {}).get("$LATEST") or {}
    bus = configuration.get("DestinationConfig", {}).get("OnSuccess", {}).get("Destination")
    if bus is None:
        return
    record = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": f"{lambda_svc._func_arn(function['config']['FunctionName'])}:$LATEST",
            "condition": "Success",
            "approximateInvokeCount": attempt,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": answer,
    }
    entry = {
        "EventBusName": bus,
        "Source": "lambda",
        "DetailType": "Lambda Function Invocation Result - Success",
        "Detail": json.dumps(record),
    }
    _, _, body = eventbridge._put_events({"Entries": [entry]})
    if json.loads(body)["FailedEntryCount"]:
        raise RuntimeError(f"{bus} did not take the result of {function['config']['FunctionName']}: {body!r}")


if __name__ == "__main__":
    main()
