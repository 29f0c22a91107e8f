"""A run that nobody waits for, started as Scheduler does it; and those that follow it, by the deployed rule."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.emulator import Emulator
from local.scheduler import Delivery

POLL_SECONDS = 20
"""The most that a queue is asked to wait."""


class NoAnswer(Exception):
    """A run did not end well in time; the message says where to look."""


def answers(emulator: Emulator, sent: Delivery, *, seconds: float) -> Iterator[dict[str, Any]]:
    """Start the run that `sent` asks for; yield what it returns, and each run that follows it, until none does.

    Each of them has so many `seconds`.

    Raises:
        NoAnswer: one of them failed, took longer, or was not started.
    """
    client = emulator.client("lambda")
    config = client.get_function_event_invoke_config(FunctionName=sent.function, Qualifier="$LATEST")
    bus = config["DestinationConfig"]["OnSuccess"]["Destination"].rpartition("/")[2]
    with _listening(emulator, bus) as queue:
        # https://docs.aws.amazon.com/lambda/latest/dg/with-eventbridge-scheduler.html
        client.invoke(FunctionName=sent.function, InvocationType="Event", Payload=json.dumps(sent.event))
        follows = True
        while follows:
            answer = _answer(emulator, queue, seconds)
            follows = "next" in answer
            yield answer


@contextmanager
def _listening(emulator: Emulator, bus: str) -> Iterator[str]:
    """Yield the URL of a queue that gets what is put on `bus`, by a rule of its own beside the deployed ones."""
    events, queues = emulator.client("events"), emulator.client("sqs")
    name = f"answers-{secrets.token_hex(4)}"
    queue = queues.create_queue(QueueName=name)["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps({"source": ["lambda"]}))
    target = {"Id": name, "Arn": arn, "InputPath": "$.detail.responsePayload"}
    events.put_targets(Rule=name, EventBusName=bus, Targets=[target])
    try:
        yield queue
    finally:
        events.remove_targets(Rule=name, EventBusName=bus, Ids=[name])
        events.delete_rule(Name=name, EventBusName=bus)
        queues.delete_queue(QueueUrl=queue)


def _answer(emulator: Emulator, queue: str, seconds: float) -> dict[str, Any]:
    client, end = emulator.client("sqs"), time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        wait = max(1, min(POLL_SECONDS, int(left)))
        received = client.receive_message(QueueUrl=queue, MaxNumberOfMessages=1, WaitTimeSeconds=wait)
        for message in received.get("Messages", ()):
            client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            answer: dict[str, Any] = json.loads(message["Body"])
            return answer
    raise NoAnswer(
        f"no run has ended well for {seconds:.0f} s: it failed, or was not started; see emulator/emulator.log"
    )
