"""What an asynchronous invocation answers as `next`, the emulator sends on: through destination, bus and rule.

A stand-in does one part of it (local/emulator_with_destinations.py). Here, the functions do nothing else; they are
deployed by CloudFormation, in the shape of the jobs' stacks.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.emulator import ACCOUNT, Emulator

pytestmark = pytest.mark.integration

STACK = "hand-over"
SECONDS = 20
"""A generous bound for what happens within one or two."""
QUIET_SECONDS = 1.5
"""After which nothing more is expected: a hand-over takes some milliseconds, once a function has been started."""
CODE = """
import json
import os

def handler(event, context):
    with open(os.environ["RUNS"], "a") as runs:
        runs.write(json.dumps([context.function_name, event]) + "\\n")
    if event["number"] == event.get("fails_at"):
        raise ValueError("not today")
    if event["number"] < event["last"]:
        return {"next": {**event, "number": event["number"] + 1}}
    return {"outcome": "done"}
"""


ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
}


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """Two jobs, `first` and `second`, of one bus."""

    emulator: Emulator
    runs: Path

    def start(self, function: str, **event: int | str) -> None:
        """Invoke it asynchronously, with its own name as the event's job, unless another is given."""
        self._invoke(function, "Event", event)

    def call(self, function: str, **event: int) -> Any:
        """Invoke it, and wait for what it answers."""
        return json.loads(self._invoke(function, "RequestResponse", event))

    def ran(self, count: int) -> list[tuple[str, int]]:
        """Which job ran, and with which number, as soon as `count` runs have begun and no more follow."""
        end = time.monotonic() + SECONDS
        while len(self._lines()) < count and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(QUIET_SECONDS)
        return [(job, event["number"]) for job, event in map(json.loads, self._lines())]

    def dead_letter(self) -> dict[str, Any]:
        """The next record among the dead letters of `first`."""
        queue = self.emulator.client("sqs")
        answer = queue.receive_message(QueueUrl=queue.get_queue_url(QueueName="first")["QueueUrl"], WaitTimeSeconds=20)
        [message] = answer["Messages"]
        record: dict[str, Any] = json.loads(message["Body"])
        return record

    def _invoke(self, function: str, kind: str, event: Mapping[str, int | str]) -> bytes:
        payload = json.dumps({"job": function, "number": 0, **event})
        answer = self.emulator.client("lambda").invoke(FunctionName=function, InvocationType=kind, Payload=payload)
        read: bytes = answer["Payload"].read()
        return read

    def _lines(self) -> list[str]:
        return self.runs.read_text().splitlines()


@pytest.fixture(scope="module")
def stack(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    runs = tmp_path_factory.mktemp("hand-over") / "runs"
    resources = {"Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": STACK}}, "Role": ROLE}
    for job in ("first", "second"):
        resources |= _resources(job, runs)
    client = emulator.client("cloudformation")
    client.create_stack(StackName=STACK, TemplateBody=json.dumps({"Resources": resources}))
    client.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    yield Deployed(emulator=emulator, runs=runs)
    client.delete_stack(StackName=STACK)


@pytest.fixture
def deployed(stack: Deployed) -> Deployed:
    """Of which nothing has run yet."""
    stack.runs.write_text("")
    return stack


def test_an_asynchronous_run_is_followed_by_the_next_until_there_is_none(deployed: Deployed) -> None:
    started = time.monotonic()
    deployed.start("first", last=5)
    assert deployed.ran(6) == [("first", number) for number in range(6)]
    assert time.monotonic() - started < SECONDS


def test_a_chain_may_be_longer_than_a_loop_that_lambda_stops(deployed: Deployed) -> None:
    """Which it does after 16 runs: https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html."""
    deployed.start("first", last=20)
    assert len(deployed.ran(21)) == 21


def test_of_a_run_that_somebody_waits_for_the_next_is_only_told(deployed: Deployed) -> None:
    answer = deployed.call("first", last=5)
    assert answer == {"next": {"job": "first", "number": 1, "last": 5}}
    assert deployed.ran(1) == [("first", 0)]


def test_a_run_that_failed_is_tried_again_and_then_goes_to_its_dead_letters(deployed: Deployed) -> None:
    """The second of a chain, too: what a rule invokes is retried like any other."""
    deployed.start("first", last=5, fails_at=1)
    letter = deployed.dead_letter()
    assert (letter["requestPayload"]["number"], letter["requestContext"]["condition"]) == (1, "RetriesExhausted")
    assert deployed.ran(3) == [("first", 0), ("first", 1), ("first", 1)]


def test_a_rule_invokes_its_own_job_only(deployed: Deployed) -> None:
    deployed.start("second", last=2)
    assert deployed.ran(3) == [("second", number) for number in range(3)]
    deployed.runs.write_text("")
    deployed.start("first", job="second", last=2)
    assert deployed.ran(1) == [("first", 0)]


def test_the_record_on_the_bus_is_the_one_that_lambda_sends(deployed: Deployed) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
    events, queues = deployed.emulator.client("events"), deployed.emulator.client("sqs")
    queue = queues.create_queue(QueueName="seen")["QueueUrl"]
    events.put_rule(Name="seen", EventBusName=STACK, EventPattern='{"source": ["lambda"]}')
    target = {"Id": "seen", "Arn": f"arn:aws:sqs:{deployed.emulator.region}:{ACCOUNT}:seen"}
    events.put_targets(Rule="seen", EventBusName=STACK, Targets=[target])
    deployed.start("first", last=0)
    [message] = queues.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    events.remove_targets(Rule="seen", EventBusName=STACK, Ids=["seen"])
    events.delete_rule(Name="seen", EventBusName=STACK)
    event = json.loads(message["Body"])
    assert (event["source"], event["detail-type"]) == ("lambda", "Lambda Function Invocation Result - Success")
    record = event["detail"]
    assert record.keys() == {
        "version",
        "timestamp",
        "requestContext",
        "requestPayload",
        "responseContext",
        "responsePayload",
    }
    function = f"arn:aws:lambda:{deployed.emulator.region}:{ACCOUNT}:function:first:$LATEST"
    assert record["requestContext"] | {"requestId": ""} == {
        "requestId": "",
        "functionArn": function,
        "condition": "Success",
        "approximateInvokeCount": 1,
    }
    assert record["requestPayload"] == {"job": "first", "number": 0, "last": 0}
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert record["responsePayload"] == {"outcome": "done"}


def _resources(job: str, runs: Path) -> dict[str, Any]:
    """The part of a job's stack that has to do with what follows a run."""
    name = job.title()
    function, queue = {"Fn::GetAtt": [f"{name}Function", "Arn"]}, {"Fn::GetAtt": [f"{name}DeadLetters", "Arn"]}
    rule = {"Fn::GetAtt": [f"{name}Rule", "Arn"]}
    resources = {
        "Function": (
            "AWS::Lambda::Function",
            {
                "FunctionName": job,
                "Runtime": "python3.14",
                "Handler": "index.handler",
                "Code": {"ZipFile": CODE},
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Environment": {"Variables": {"RUNS": str(runs)}},
                "ReservedConcurrentExecutions": 1,
                "RecursiveLoop": "Allow",
            },
        ),
        "DeadLetters": ("AWS::SQS::Queue", {"QueueName": job}),
        "DeadLettersPolicy": (
            "AWS::SQS::QueuePolicy",
            {
                "Queues": [{"Ref": f"{name}DeadLetters"}],
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "events.amazonaws.com"},
                            "Action": "sqs:SendMessage",
                            "Resource": queue,
                            "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
                        }
                    ],
                },
            },
        ),
        "Retry": (
            "AWS::Lambda::EventInvokeConfig",
            {
                "FunctionName": {"Ref": f"{name}Function"},
                "Qualifier": "$LATEST",
                "MaximumEventAgeInSeconds": 300,
                "MaximumRetryAttempts": 1,
                "DestinationConfig": {
                    "OnFailure": {"Destination": queue},
                    "OnSuccess": {"Destination": {"Fn::GetAtt": ["Bus", "Arn"]}},
                },
            },
        ),
        "Rule": (
            "AWS::Events::Rule",
            {
                "EventBusName": {"Ref": "Bus"},
                "EventPattern": {
                    "source": ["lambda"],
                    "detail-type": ["Lambda Function Invocation Result - Success"],
                    "detail": {
                        "requestContext": {"functionArn": [{"Fn::Join": ["", [function, ":$LATEST"]]}]},
                        "responsePayload": {"next": {"job": [job]}},
                    },
                },
                "Targets": [
                    {
                        "Id": "Next",
                        "Arn": function,
                        "InputPath": "$.detail.responsePayload.next",
                        "RetryPolicy": {"MaximumEventAgeInSeconds": 300, "MaximumRetryAttempts": 185},
                        "DeadLetterConfig": {"Arn": queue},
                    }
                ],
            },
        ),
        "Permission": (
            "AWS::Lambda::Permission",
            {
                "Action": "lambda:InvokeFunction",
                "FunctionName": function,
                "Principal": "events.amazonaws.com",
                "SourceArn": rule,
            },
        ),
    }
    return {f"{name}{part}": {"Type": kind, "Properties": values} for part, (kind, values) in resources.items()}
