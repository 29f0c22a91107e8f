"""AWS as a game day needs it, in this process: each call, and each answer, is held against the service's own model.

It is no proof of what AWS does: it answers as the exercises expect, until a test breaks it. What it shows is that every
call has what the service takes, under the right names, and that each exercise notices when its answer is another one.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

from delivery.aws import Aws
from gameday.project import MARK

REGION = "eu-central-1"
NOW = datetime(2026, 11, 26, tzinfo=UTC)
QUEUE = "https://sqs.eu-central-1.amazonaws.com/111111111111/"
Answer = dict[str, Any]


class Refusal(Exception):
    """An error of a service, by its code."""

    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class Clock:
    """The time of a world, which goes on when somebody waits."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def monotonic(self) -> float:
        return self._seconds

    def sleep(self, seconds: float) -> None:
        self._seconds += seconds

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self._seconds)


class World(Aws):
    """An account with one environment of a game day in it.

    Attributes:
        calls: every call so far: the operation and its parameters.
        breaks: operations that answer differently, by name.
    """

    def __init__(self, environment: str) -> None:
        super().__init__(REGION)
        self.environment = environment
        self.clock = Clock()
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self.breaks: dict[str, Callable[[Mapping[str, Any]], Answer]] = {}
        self.stacks_there = {f"{environment}-{each}": "CREATE_COMPLETE" for each in ("Network", "Database", "Jobs")}
        self.marked = True
        self.concurrency: int | None = 1
        self.port = 13306
        self.storage = 20
        self.rebooting = 0
        self.secret = 1
        self.snapshots: dict[str, int] = {}
        self.backups = ["db-RETAINED"]
        self.log_groups = [f"/aws/lambda/{environment}-Jobs-Trigger", "/aws/lambda/other-Jobs"]
        self.instances = {f"{environment}-mysql-jobs"}
        self.letters: list[Answer] = []
        self.alarms = {f"{environment}-{each}": "OK" for each in ("beat-missed", "fail-errors", "database-cpu")}
        self.set_by_hand: set[str] = set()
        self.notifications: list[tuple[str, str]] = []
        self.variables = {"DATABASE_ENDPOINT": "instance"}
        self.failed_runs = 0
        self.traces = 0
        self.last_end = NOW
        self.lines: list[Answer] = []
        self._session = _Session(self)

    def called(self, operation: str) -> list[Mapping[str, Any]]:
        """The parameters of each call of `operation`."""
        return [parameters for name, parameters in self.calls if name == operation]

    def answer(self, operation: str, parameters: Mapping[str, Any]) -> Answer:
        """What `operation` answers."""
        self.calls.append((operation, parameters))
        if operation in self.breaks:
            return self.breaks[operation](parameters)
        found: Callable[[Mapping[str, Any]], Answer | None] = getattr(self, operation)
        return found(parameters) or {}

    def empty(self) -> None:
        """Leave nothing there, as before any game day."""
        for each in (self.stacks_there, self.instances, self.backups, self.log_groups):
            each.clear()

    def GetCallerIdentity(self, _: Mapping[str, Any]) -> Answer:  # noqa: N802
        return {"Account": "111111111111", "Arn": "arn:aws:sts::111111111111:assumed-role/test/test"}

    # CloudFormation

    def DescribeStacks(self, p: Mapping[str, Any]) -> Answer:  # noqa: N802
        name = p["StackName"]
        if name not in self.stacks_there:
            raise Refusal("ValidationError", f"Stack with id {name} does not exist")
        return {"Stacks": [{"StackName": name, "StackStatus": self.stacks_there[name], "CreationTime": NOW}]}

    def GetTemplate(self, _: Mapping[str, Any]) -> Answer:  # noqa: N802
        return {"TemplateBody": json.dumps({"Metadata": {MARK: True} if self.marked else {}})}

    def DeleteStack(self, p: Mapping[str, Any]) -> None:  # noqa: N802
        self.stacks_there.pop(p["StackName"], None)
        self.instances.discard(f"{p['StackName'].removesuffix('-Database')}-mysql-jobs")

    def DetectStackDrift(self, p: Mapping[str, Any]) -> Answer:  # noqa: N802
        return {"StackDriftDetectionId": f"detection-of-{p['StackName']}"}

    def DescribeStackDriftDetectionStatus(self, p: Mapping[str, Any]) -> Answer:  # noqa: N802
        return {
            "StackId": "id",
            "StackDriftDetectionId": p["StackDriftDetectionId"],
            "DetectionStatus": "DETECTION_COMPLETE",
            "Timestamp": NOW,
        }

    def DescribeStackResourceDrifts(self, p: Mapping[str, Any]) -> Answer:  # noqa: N802
        statuses = ["IN_SYNC", "NOT_CHECKED"] if "NextToken" in p else ["IN_SYNC"]
        drifts = [
            {
                "StackId": "id",
                "LogicalResourceId": "Instance",
                "ResourceType": "AWS::RDS::DBInstance",
                "StackResourceDriftStatus": each,
                "Timestamp": NOW,
            }
            for each in statuses
        ]
        return {"StackResourceDrifts": drifts, **({} if "NextToken" in p else {"NextToken": "more"})}

    # Logs and Lambda

    def FilterLogEvents(self, p: Mapping[str, Any]) -> Answer:  # noqa: N802
        self.clock.sleep(60)
        if p["logGroupName"].endswith("-beat"):
            self._scheduled_run()
        return {"events": [{"message": json.dumps(each)} for each in self.lines]}

    def DescribeLogGroups(self, p: Mapping[str, Any]) -> Answer:  # noqa: N802
        names = [each for each in self.log_groups if each.startswith(p["logGroupNamePrefix"])]
        return {"logGroups": [{"logGroupName": each} for each in names]}

    def DeleteLogGroup(self, p: Mapping[str, Any]) -> None:  # noqa: N802
        self.log_groups.remove(p["logGroupName"])

    def Invoke(self, p: Mapping[str, Any]) -> Answer:  # noqa: N802
        job, event = p["FunctionName"].removeprefix(f"{self.environment}-"), json.loads(p["Payload"])
        if p.get("InvocationType") == "Event":
            self.letters.append({"responsePayload": {"errorMessage": "as every run of this job"}})
            return {"StatusCode": 202}
        if job == "beat" and self.concurrency == 0:
            raise Refusal("TooManyRequestsException", status=429)
        kind = self._error(job, event)
        if kind:
            return _payload({"errorType": kind, "errorMessage": "as every run of this job"}, FunctionError="Unhandled")
        return _payload({"outcome": "duplicate" if job == "beat" else "done", "result": {"sessions": 1}})

    def GetFunctionConcurrency(self, _: Mapping[str, Any]) -> Answer:  # noqa: N802
        return {} if self.concurrency is None else {"ReservedConcurrentExecutions": self.concurrency}

    def PutFunctionConcurrency(self, p: Mapping[str, Any]) -> None:  # noqa: N802
        self.concurrency = p["ReservedConcurrentExecutions"]

    def DeleteFunctionConcurrency(self, _: Mapping[str, Any]) -> None:  # noqa: N802
        self.concurrency = None

    def GetFunctionConfiguration(self, _: Mapping[str, Any]) -> Answer:  # noqa: N802
        return {"Environment": {"Variables": dict(self.variables)}}

    def _scheduled_run(self) -> None:
        if self.concurrency == 0:
            return
        time = self.clock.now()
        line = {"message": "run", "job": "beat", "scheduled_time": time.isoformat(), "execution_id": f"{time:%H%M%S}"}
        if self.port == 1:
            self.lines.append({**line, "outcome": "failed", "error": "DeadlineExceeded: …", "duration_ms": 28_000})
            return
        self.traces += 1
        result = {"traces": {"beat": self.traces}}
        window = {"window_start": self.last_end.isoformat(), "window_end": time.isoformat()}
        self.last_end = time
        self.lines.append({**line, **window, "outcome": "done", "result": result})

    def _error(self, job: str, event: Mapping[str, Any]) -> str:
        if job == "fail":
            self.failed_runs += 1
            return "OnPurposeError"
        if job != "nap":
            return ""
        start, end = (datetime.fromisoformat(event["window"][key]) for key in ("start", "end"))
        if end - start > timedelta(seconds=8):
            return "DeadlineExceeded"
        self.rebooting += 1 if self.rebooting else 0
        return "OperationalError" if self.rebooting == 3 else ""

    # CloudWatch and SQS

    def DescribeAlarms(self, p: Mapping[str, Any]) -> Answer:  # noqa: N802
        for name in self.alarms:
            if name not in self.set_by_hand:
                rings = {"missed": self.concurrency == 0, "errors": self.failed_runs >= 3}.get(name.rpartition("-")[2])
                self._state(name, "ALARM" if rings else "OK")
        self.set_by_hand.clear()
        return {
            "MetricAlarms": [
                {"AlarmName": name, "StateValue": state}
                for name, state in self.alarms.items()
                if name.startswith(p["AlarmNamePrefix"])
            ]
        }

    def SetAlarmState(self, p: Mapping[str, Any]) -> None:  # noqa: N802
        self.set_by_hand.add(p["AlarmName"])
        self._state(p["AlarmName"], p["StateValue"])

    def _state(self, name: str, state: str) -> None:
        if self.alarms[name] != state:
            self.alarms[name] = state
            self.notifications.append((name, state))

    def GetQueueUrl(self, p: Mapping[str, Any]) -> Answer:  # noqa: N802
        environment, _, which = p["QueueName"].rpartition("-")
        if which == "notifications" and f"{environment}-Database" not in self.stacks_there:
            raise Refusal("AWS.SimpleQueueService.NonExistentQueue")
        return {"QueueUrl": f"{QUEUE}{p['QueueName']}"}

    def ReceiveMessage(self, p: Mapping[str, Any]) -> Answer:  # noqa: N802
        if p["QueueUrl"].endswith("-dead-letters"):
            bodies = [json.dumps(each) for each in self.letters]
        else:
            told = [json.dumps({"AlarmName": name, "NewStateValue": state}) for name, state in self.notifications]
            bodies = [json.dumps({"Message": each}) for each in told]
        return {
            "Messages": [
                {"MessageId": str(number), "ReceiptHandle": "first", "Body": body}
                for number, body in enumerate(bodies[:10])
            ]
        }

    def DeleteMessage(self, _: Mapping[str, Any]) -> None:  # noqa: N802
        self.notifications.pop(0)

    def PurgeQueue(self, _: Mapping[str, Any]) -> None:  # noqa: N802
        self.letters.clear()

    # RDS, its secret and its security group

    def DescribeDBInstances(self, p: Mapping[str, Any]) -> Answer:  # noqa: N802
        if p["DBInstanceIdentifier"] not in self.instances:
            raise Refusal("DBInstanceNotFound", status=404)
        return {
            "DBInstances": [
                {
                    "DBInstanceIdentifier": p["DBInstanceIdentifier"],
                    "DBInstanceStatus": "storage-optimization",
                    "AllocatedStorage": self.storage,
                    "MasterUserSecret": {"SecretArn": "arn:secret", "SecretStatus": "active"},
                    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-database"}],
                }
            ]
        }

    def DeleteDBInstance(self, p: Mapping[str, Any]) -> None:  # noqa: N802
        self.instances.remove(p["DBInstanceIdentifier"])

    def RebootDBInstance(self, _: Mapping[str, Any]) -> None:  # noqa: N802
        self.rebooting = 1

    def ModifyDBInstance(self, p: Mapping[str, Any]) -> None:  # noqa: N802
        self.secret += p["RotateMasterUserPassword"]

    def CreateDBSnapshot(self, p: Mapping[str, Any]) -> None:  # noqa: N802
        self.snapshots[p["DBSnapshotIdentifier"]] = 0

    def DescribeDBSnapshots(self, p: Mapping[str, Any]) -> Answer:  # noqa: N802
        if "DBSnapshotIdentifier" in p:
            self.snapshots[p["DBSnapshotIdentifier"]] += 1
        elif p["DBInstanceIdentifier"] != f"{self.environment}-mysql-jobs":
            return {"DBSnapshots": []}
        return {
            "DBSnapshots": [
                {
                    "DBSnapshotIdentifier": name,
                    "Status": "available" if looks > 1 else "creating",
                    "SnapshotCreateTime": NOW + timedelta(seconds=number),
                }
                for number, (name, looks) in enumerate(self.snapshots.items())
            ]
        }

    def DeleteDBSnapshot(self, p: Mapping[str, Any]) -> None:  # noqa: N802
        del self.snapshots[p["DBSnapshotIdentifier"]]

    def DescribeDBInstanceAutomatedBackups(self, p: Mapping[str, Any]) -> Answer:  # noqa: N802
        if p["DBInstanceIdentifier"] != f"{self.environment}-mysql-jobs":
            return {"DBInstanceAutomatedBackups": []}
        living = [{"DbiResourceId": "db-LIVING", "Status": "active"}]
        return {
            "DBInstanceAutomatedBackups": [
                *living,
                *({"DbiResourceId": each, "Status": "retained"} for each in self.backups),
            ]
        }

    def DeleteDBInstanceAutomatedBackup(self, p: Mapping[str, Any]) -> None:  # noqa: N802
        self.backups.remove(p["DbiResourceId"])

    def DescribeSecret(self, _: Mapping[str, Any]) -> Answer:  # noqa: N802
        return {"VersionIdsToStages": {f"{self.secret:032}": ["AWSCURRENT"], f"{0:032}": ["AWSPREVIOUS"]}}

    def DescribeSecurityGroupRules(self, p: Mapping[str, Any]) -> Answer:  # noqa: N802
        [group] = p["Filters"][0]["Values"]
        rule = {"GroupId": group, "IpProtocol": "tcp", "FromPort": self.port, "ToPort": self.port}
        jobs = {"ReferencedGroupInfo": {"GroupId": "sg-jobs"}, "Description": "from the jobs"}
        return {
            "SecurityGroupRules": [
                {**rule, "SecurityGroupRuleId": "sgr-in", "IsEgress": False, **jobs},
                {**rule, "SecurityGroupRuleId": "sgr-out", "IsEgress": True, "CidrIpv4": "255.255.255.255/32"},
            ]
        }

    def ModifySecurityGroupRules(self, p: Mapping[str, Any]) -> Answer:  # noqa: N802
        [rule] = p["SecurityGroupRules"]
        assert rule["SecurityGroupRule"]["ReferencedGroupId"] == "sg-jobs"
        self.port = rule["SecurityGroupRule"]["FromPort"]
        return {"Return": True}


BOTOCORE = botocore.session.Session()
"""Of all worlds: it keeps the models, which take long to read."""


class _Session:
    """Makes botocore's own clients, whose requests end here instead of on the network."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._clients: dict[str, Any] = {}

    def create_client(self, service: str, **options: Any) -> Any:
        if service not in self._clients:
            keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
            client = BOTOCORE.create_client(service, **options, **keys)
            client.meta.events.register("before-parameter-build", self._note)
            client.meta.events.register("before-call", self._answer)
            self._clients[service] = client
        return self._clients[service]

    @staticmethod
    def _note(params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["parameters"] = dict(params)

    def _answer(self, model: Any, context: Mapping[str, Any], **_: Any) -> tuple[Any, Answer]:
        # botocore has validated the parameters by now.
        try:
            answer = self._world.answer(model.name, context["parameters"])
        except Refusal as refusal:
            error = {"Code": refusal.code, "Message": refusal.message}
            return SimpleNamespace(status_code=refusal.status), {"Error": error, "ResponseMetadata": {}}
        if model.output_shape is not None:
            report = ParamValidator().validate(answer, model.output_shape)
            assert not report.has_errors(), f"{model.name}: {report.generate_report()}"
        return SimpleNamespace(status_code=200), answer


def _payload(result: Answer, **more: str) -> Answer:
    return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(result).encode()), **more}
