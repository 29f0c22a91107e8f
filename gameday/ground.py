"""The ground of a game day: its environment on AWS, what is to be seen of it, and what a person can do to it.

Everything is asked of AWS's APIs, as nobody can reach the database. The local AWS answers the same calls: what it lacks
is replaced in gameday/local_ground.py.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from delivery.assembly import Assembly, synthesize
from delivery.aws import Aws, FunctionFailed
from delivery.refusal import Refused
from gameday import remains, waiting
from gameday.project import RESTORED, GameProject, notifications
from gameday.remains import Progress
from gameday.waiting import NotSeen, until
from settings import names
from settings.environment import EnvironmentSettings

Report = Mapping[str, Any]
"""What a run's log line says."""

AWS, LOCAL = "AWS", "local"
RUN_SECONDS = 300
"""A run each minute, and its log line can be read a minute later."""
BACK_SECONDS = 1800
"""The longest until a run works again after an outage: RDS needs minutes for a restart."""
ALARM_SECONDS = 900
"""CloudWatch evaluates each minute, and a metric comes minutes after what it counts."""
BUSY_SECONDS = 180
"""A run of the schedule may be at work, and there is room for one."""
SNAPSHOT_SECONDS = 3600
"""The first snapshot copies all blocks; there are few."""
USABLE = ("available", "storage-optimization")
"""The states of an instance that works as ever; the second may last for hours after storage has grown.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html"""


class Ground:
    """The environment of a game day on AWS.

    Attributes:
        aws: the account and region.
        name: the environment's.
        game: the project that it is deployed from.
        progress: tells what goes on.
    """

    where = AWS
    remnants: tuple[remains.Kind, ...] = remains.KINDS
    """Where something may be left."""
    settle_seconds = 900.0
    """Until CloudWatch has evaluated an alarm that was set: a minute, or with the next data."""

    def __init__(self, game: GameProject, aws: Aws, folder: Path, *, progress: Progress) -> None:
        """Begin with the environment that `game` describes; `folder` is for what is synthesized."""
        self.game = game
        self.aws = aws
        self.progress = progress
        self.name = game.name
        self.began = waiting.now()
        self._folder = folder
        self._clients: dict[str, Any] = {}
        self._heard: list[tuple[str, str]] = []

    @property
    def settings(self) -> EnvironmentSettings:
        """The environment, as its file says it now."""
        return self.game.settings

    @property
    def stacks(self) -> list[str]:
        """The names of its stacks, each after those that it needs."""
        return remains.stacks(self.name)[::-1]

    def client(self, service: str) -> Any:
        """Return a botocore client of `service`."""
        if service not in self._clients:
            self._clients[service] = self.aws.client(service)
        return self._clients[service]

    # Deploys

    def begin(self) -> str:
        """Deploy the environment for the first time, and return what there is then.

        Raises:
            Refused: it can't be deployed, so there is nothing to exercise with.
        """
        if not self.deploy():
            raise Refused(f"{self.name} can't be deployed: the events above say why")
        return shape(self.settings)

    def synthesize(self) -> Assembly:
        """Synthesize the project as it is now.

        Raises:
            delivery.refusal.Refused: the app says why it can't be.
        """
        app = shlex.join([sys.executable, "-m", "gameday.app", str(self.game.project.folder)])
        return synthesize(self.name, self._folder / "cdk.out", app=app)

    def deploy(self) -> bool:
        """Deploy the project as it is now, with the CDK CLI; return whether that succeeded.

        Raises:
            delivery.refusal.Refused: the app says why it can't be synthesized.
        """
        return self.synthesize().deploy()

    # Runs

    def runs(self, job: str) -> list[Report]:
        """Return what the log of `job` has of the runs of this day, oldest first."""
        pages = (
            self.client("logs")
            .get_paginator("filter_log_events")
            .paginate(
                logGroupName=names.function_log(names.function(self.name, job)),
                filterPattern='{ $.message = "run" }',
                startTime=int(self.began.timestamp() * 1000),
            )
        )
        lines = [json.loads(event["message"]) for page in pages for event in page["events"]]
        return sorted((each for each in lines if "scheduled_time" in each), key=scheduled)

    def next_run(self, job: str = "beat", *, seconds: float = RUN_SECONDS, done: bool = True) -> Report:
        """Return the next run of `job` that its schedule starts, and that is `done`, unless any will do.

        Raises:
            NotSeen: there was none within `seconds`.
        """
        asked = waiting.now()

        def look() -> Report | None:
            found = (each for each in self.runs(job) if scheduled(each) >= asked)
            return next((each for each in found if each["outcome"] == "done" or not done), None)

        return until(f"{'done ' if done else ''}run of {job}", look, seconds=seconds, every=15)

    def start(self, job: str, event: Mapping[str, Any]) -> Report:
        """Run `job` by hand and return what its log line says.

        Raises:
            FunctionFailed: it ended with an error.
            NotSeen: for minutes there was no room for it.
        """

        def look() -> Report | None:
            try:
                return dict(self.invoke(job, event))
            except ClientError as error:
                if error.response["Error"]["Code"] != "TooManyRequestsException":
                    raise
                return None

        return until(f"room for a run of {job}", look, seconds=BUSY_SECONDS, every=5)

    def invoke(self, job: str, event: Mapping[str, Any]) -> Any:
        """Run a function once, and return what it returns.

        Raises:
            FunctionFailed: it ended with an error.
            botocore.exceptions.ClientError: Lambda refuses to start it.
        """
        return self.aws.invoke(names.function(self.name, job), event)

    def fails(self, job: str, event: Mapping[str, Any]) -> FunctionFailed:
        """Run `job` by hand and return its error.

        Raises:
            NotSeen: it ended well.
        """
        try:
            report = self.start(job, event)
        except FunctionFailed as error:
            return error
        raise NotSeen(f"{job} ended as {report['outcome']}: {report.get('result')}")

    def migrate(self) -> None:
        """Run the migrations, which log in with the master's secret.

        Raises:
            FunctionFailed: they ended with an error.
            NotSeen: for minutes there was no room for it.
        """
        self.start(names.MIGRATE, {})

    def unbroken(self, job: str, first: Report) -> list[Report]:
        """Return the done runs of `job` from `first` on: the window of each begins where the last one's ended.

        Raises:
            NotSeen: there is a gap, or an overlap.
        """

        def look() -> list[Report] | None:
            done = [
                each for each in self.runs(job) if each["outcome"] == "done" and scheduled(each) >= scheduled(first)
            ]
            joined = all(before["window_end"] == after["window_start"] for before, after in pairwise(done))
            return done if joined else None

        # For a while, a line may be missing: logs come in no order.
        return until(f"unbroken row of windows of {job}", look, seconds=BUSY_SECONDS, every=15)

    def start_async(self, job: str, event: Mapping[str, Any]) -> None:
        """Start a run of `job` as its schedule does: Lambda tries it again if it fails."""
        self.client("lambda").invoke(
            FunctionName=names.function(self.name, job), InvocationType="Event", Payload=json.dumps(event)
        )

    def dead_letters(self, job: str) -> dict[str, Mapping[str, Any]]:
        """Return the letters in the dead-letter queue of `job`, by their ids; they stay there."""
        messages = self.client("sqs").receive_message(
            QueueUrl=self._dead_letters(job), MaxNumberOfMessages=10, VisibilityTimeout=0, WaitTimeSeconds=1
        )
        return {each["MessageId"]: json.loads(each["Body"]) for each in messages.get("Messages", ())}

    def purge(self, job: str) -> None:
        """Delete all letters in the dead-letter queue of `job`."""
        self.client("sqs").purge_queue(QueueUrl=self._dead_letters(job))

    def variables(self, job: str) -> Mapping[str, str]:
        """Return the environment variables of the function of `job`, as it is deployed."""
        found = self.client("lambda").get_function_configuration(FunctionName=names.function(self.name, job))
        variables: Mapping[str, str] = found["Environment"]["Variables"]
        return variables

    def _dead_letters(self, job: str) -> str:
        queue = names.dead_letters(names.function(self.name, job))
        url: str = self.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
        return url

    # Alarms

    def alarms(self) -> dict[str, Mapping[str, Any]]:
        """Return the environment's alarms, by name."""
        pages = self.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{self.name}-")
        return {each["AlarmName"]: each for page in pages for each in page["MetricAlarms"]}

    def await_alarm(self, what: str, state: str, *, seconds: float = ALARM_SECONDS) -> None:
        """Wait until the alarm <environment>-<what> is in `state`.

        Raises:
            NotSeen: it is not within `seconds`.
        """
        name = f"{self.name}-{what}"

        def look() -> bool:
            return bool(self.alarms()[name]["StateValue"] == state)

        until(f"{state} of the alarm {name}", look, seconds=seconds, every=20)

    def await_notification(self, alarm: str, state: str, *, seconds: float = 120) -> None:
        """Wait until the people on call would have heard that `alarm` is in `state`; each is heard once.

        Raises:
            NotSeen: nothing was heard within `seconds`.
        """

        def look() -> bool:
            self._listen()
            return (alarm, state) in self._heard

        until(f"notification that {alarm} is in {state}", look, seconds=seconds, every=1)
        self._heard.remove((alarm, state))

    def forget_notifications(self) -> None:
        """Forget what was heard so far."""
        self._listen()
        self._heard.clear()

    def _listen(self) -> None:
        client = self.client("sqs")
        queue = client.get_queue_url(QueueName=notifications(self.name))["QueueUrl"]
        while messages := client.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for each in messages:
                told = _told(json.loads(each["Body"])["Message"])
                self._heard.append((told.get("AlarmName", ""), told.get("NewStateValue", "")))
                client.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])

    # The database

    def instance(self) -> Mapping[str, Any]:
        """Return the instance as RDS describes it.

        Raises:
            NotSeen: there is none.
        """
        found = self.aws.instance(names.database(self.name))
        if found is None:
            raise NotSeen(f"there is no instance {names.database(self.name)}")
        return found

    def available(self) -> bool:
        """Return whether RDS says that the instance can be used."""
        return self.instance()["DBInstanceStatus"] in USABLE

    def reboot(self) -> None:
        """Ask for a restart, which comes in a moment; with a standby, by a failover to it."""
        self.client("rds").reboot_db_instance(
            DBInstanceIdentifier=names.database(self.name), ForceFailover=self.settings.made_database.multi_az
        )

    def rotate_master(self) -> None:
        """Have RDS give the master user another password, and wait until it has.

        Raises:
            NotSeen: it has not within half an hour.
        """
        secret = self.instance()["MasterUserSecret"]["SecretArn"]
        before = self._current_version(secret)
        self.client("rds").modify_db_instance(
            DBInstanceIdentifier=names.database(self.name), RotateMasterUserPassword=True, ApplyImmediately=True
        )

        def look() -> bool:
            at_rest = self.available() and self.instance()["MasterUserSecret"]["SecretStatus"] == "active"
            return at_rest and self._current_version(secret) != before

        until("rotated master secret", look, seconds=BACK_SECONDS)

    def snapshot(self) -> str:
        """Take a snapshot, wait for it, and return its name: it is the newest.

        It goes when all is removed: RDS deletes none that is being made.

        Raises:
            NotSeen: it is not there within an hour, or another is newer.
        """
        client, instance = self.client("rds"), names.database(self.name)
        name = f"{instance}-taken"
        client.create_db_snapshot(DBInstanceIdentifier=instance, DBSnapshotIdentifier=name)

        def look() -> bool:
            found = self.aws.snapshot(name)
            return found is not None and found["Status"] == "available"

        until(f"snapshot {name}", look, seconds=SNAPSHOT_SECONDS, every=15)
        pages = client.get_paginator("describe_db_snapshots").paginate(DBInstanceIdentifier=instance)
        # One that is being made has no time yet.
        there = [each for page in pages for each in page["DBSnapshots"] if "SnapshotCreateTime" in each]
        newest: str = max(there, key=lambda each: each["SnapshotCreateTime"])["DBSnapshotIdentifier"]
        if newest != name:
            raise NotSeen(f"{newest} is newer than {name}, which was just taken")
        return name

    @contextmanager
    def restored(self, snapshot: str) -> Iterator[Ground]:
        """Deploy a second environment from `snapshot`; it is gone after the block.

        Raises:
            NotSeen: the deploy failed.
        """
        name = f"{self.name}{RESTORED}"
        game = GameProject(self._folder / name, self.game.source, name=name, snapshot=snapshot)
        other = Ground(game, self.aws, self._folder / f"{name}-assembly", progress=self.progress)
        try:
            if not other.deploy():
                raise NotSeen(f"the deploy of {name} from {snapshot} failed")
            yield other
        finally:
            remains.remove(self.aws, name, progress=self.progress)

    def _current_version(self, secret: str) -> str:
        found = self.client("secretsmanager").describe_secret(SecretId=secret)
        versions: Mapping[str, list[str]] = found["VersionIdsToStages"]
        return next(version for version, stages in versions.items() if "AWSCURRENT" in stages)

    # What is done, and undone whatever happens

    @contextmanager
    def stopped(self, job: str) -> Iterator[None]:
        """Let no run of `job` start while the block runs."""
        client, function = self.client("lambda"), names.function(self.name, job)
        before = client.get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions")
        try:
            client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
            yield
        finally:
            if before is None:
                client.delete_function_concurrency(FunctionName=function)
            else:
                client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=before)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Let nobody connect to what the jobs connect to, while the block runs.

        The rules get a port where nothing listens, and then their own again: to delete them and make them anew would
        leave rules that CloudFormation does not know.
        """
        client = self.client("ec2")
        rules = self._rules()
        try:
            for rule in rules:
                self._modify(client, rule, port=1)
            yield
        finally:
            for rule in rules:
                self._modify(client, rule, port=rule["FromPort"])

    def _rules(self) -> list[Mapping[str, Any]]:
        """The rules that let somebody in."""
        filters = [{"Name": "group-id", "Values": self._groups()}]
        pages = self.client("ec2").get_paginator("describe_security_group_rules").paginate(Filters=filters)
        rules = [each for page in pages for each in page["SecurityGroupRules"] if not each["IsEgress"]]
        if not rules:
            raise NotSeen("nothing lets the jobs in, as it is")
        return rules

    def _groups(self) -> list[str]:
        """The security groups of what the jobs connect to."""
        if self.settings.proxy.enabled:
            name = names.database(self.name)
            [proxy] = self.client("rds").describe_db_proxies(DBProxyName=name)["DBProxies"]
            return list(proxy["VpcSecurityGroupIds"])
        return [each["VpcSecurityGroupId"] for each in self.instance()["VpcSecurityGroups"]]

    @staticmethod
    def _modify(client: Any, rule: Mapping[str, Any], *, port: int) -> None:
        wanted = {"IpProtocol": rule["IpProtocol"], "FromPort": port, "ToPort": port}
        if "ReferencedGroupInfo" in rule:
            wanted["ReferencedGroupId"] = rule["ReferencedGroupInfo"]["GroupId"]
        wanted |= {key: rule[key] for key in ("CidrIpv4", "CidrIpv6", "Description") if key in rule}
        client.modify_security_group_rules(
            GroupId=rule["GroupId"],
            SecurityGroupRules=[{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": wanted}],
        )


def shape(settings: EnvironmentSettings) -> str:
    """Return what is deployed, in a few words."""
    database = settings.made_database
    zones = "two zones" if database.multi_az else "one zone"
    proxy = "with a proxy" if settings.proxy.enabled else "without a proxy"
    return f"{database.instance_class} in {zones}, {proxy}, login by {database.auth}"


def scheduled(report: Report) -> datetime:
    """Return the scheduled time of a run."""
    return datetime.fromisoformat(report["scheduled_time"])


def event(report: Report) -> dict[str, Any]:
    """Return the event that a run was started with by its schedule."""
    return {key: report[key] for key in ("job", "scheduled_time", "execution_id")}


def traces(reports: Iterable[Report]) -> Iterator[Mapping[str, int]]:
    """Return how many traces of each job the runs of `beat` saw."""
    for each in reports:
        yield each["result"]["traces"]


def _told(message: str) -> Mapping[str, Any]:
    """What a notification says; RDS's own are told in words, or otherwise."""
    try:
        told = json.loads(message)
    except ValueError:
        return {}
    return told if isinstance(told, Mapping) else {}
