"""The ground on this machine: the emulator for AWS, a MySQL server for RDS. It replaces what the emulator lacks."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from delivery.assembly import Assembly
from delivery.aws import Aws, FunctionFailed
from delivery.refusal import Refused
from gameday import remains
from gameday.ground import LOCAL, RUN_SECONDS, Ground, Report, shape
from gameday.project import GameProject
from gameday.remains import Progress
from gameday.waiting import until
from local.cdk_cli import CommandFailed
from local.emulator import EmulatorError
from local.environment import JobFailed, LocalEnvironment, deployed
from local.guardian import guarded
from local.mysql_installation import ToolMissing
from local.scheduler import delivery
from local.server_start import StartFailed
from settings import names

REBOOT_SECONDS = 1.5
"""From the call to the restart: a run begins in between, as on AWS."""
FIRST = timedelta(hours=3)
"""How long ago the first scheduled time is: each delivery takes the next minute, and none is in the future."""


class LocalGround(Ground):
    """The environment of a game day on the local AWS."""

    where = LOCAL
    remnants = tuple(each for each in remains.KINDS if each is not remains.backups)  # the emulator has none
    settle_seconds = 1.0

    def __init__(self, game: GameProject, aws: Aws, environment: LocalEnvironment, *, progress: Progress) -> None:
        """Begin with the deployed `environment` of `game`."""
        super().__init__(game, aws, environment.folder, progress=progress)
        self._environment = environment
        self._server = environment.server
        self._assemblies: dict[str, Path] = {}
        self._keep(environment.cli.assembly)
        self._restart = threading.Thread()
        self._time = datetime.now(UTC).replace(second=0, microsecond=0) - FIRST
        self._delivered: dict[str, list[Report]] = {}

    def begin(self) -> str:
        """Say what there is: it was deployed before there was this ground."""
        return f"{shape(self._environment.settings)}; before this began"

    def synthesize(self) -> Assembly:
        """Synthesize the project, fitted to the emulator, unless that was done of the same files before.

        It takes 8 s of a processor here; that it comes to the same each time, tests/stacks/ shows.
        """
        if self._state() not in self._assemblies:
            self._environment.synthesize(self.game.project, progress=lambda _: None)
            self._keep(self._environment.cli.assembly)
        return Assembly(folder=self._assemblies[self._state()], environment=self.name)

    def _keep(self, assembly: Path) -> None:
        kept = assembly.with_name(f"assembly-{len(self._assemblies)}")
        shutil.copytree(assembly, kept)
        self._assemblies[self._state()] = kept

    def _state(self) -> str:
        """All that differs between the day's deploys."""
        project = self.game.project
        files = [*project.environments.iterdir(), *sorted(project.migrations.iterdir())]
        return "\n".join(file.read_text() for file in files)

    def runs(self, job: str) -> list[Report]:
        """Return the runs that were delivered here: the emulator keeps no JSON log."""
        return self._delivered.get(job, [])

    def next_run(self, job: str = "beat", *, seconds: float = RUN_SECONDS, done: bool = True) -> Report:
        """Deliver the next scheduled times until a run is `done`: the emulator's scheduler does not fill them in."""

        def look() -> Report | None:
            report = self._deliver(job)
            return report if report["outcome"] == "done" or not done else None

        return until(f"done run of {job}", look, seconds=seconds, every=1)

    def invoke(self, job: str, event: Mapping[str, Any]) -> Any:
        """Run a function once; of an error the emulator tells no type, but the log ends with it."""
        try:
            return self._environment.invoke(names.function(self.name, job), event)
        except JobFailed as failure:
            kinds = re.findall(r"^(?:\w+\.)*(\w+): ", failure.log, re.MULTILINE)
            raise FunctionFailed(failure.error, kind=kinds[-1] if kinds else "") from failure

    def _deliver(self, job: str) -> Report:
        self._time += timedelta(minutes=1)
        sent = delivery(self._environment.emulator, names.function(self.name, job), self._time)
        try:
            report: Report = self.invoke(job, sent.event)
        except FunctionFailed as error:
            report = {**sent.event, "outcome": "failed", "error": f"{error.kind}: {error}"}
        self._delivered.setdefault(job, []).append(report)
        return report

    def alarms(self) -> dict[str, Mapping[str, Any]]:
        """Return the alarms, once the emulator has looked at their metrics: it does when it is given any.

        It takes the metrics of all functions together, so an alarm on errors rings with those of other jobs, too.
        """
        self.client("cloudwatch").put_metric_data(Namespace="gameday", MetricData=[{"MetricName": "look", "Value": 1}])
        return super().alarms()

    def available(self) -> bool:
        """Return whether the server's restart is over, if there was one."""
        return not self._restart.is_alive()

    def reboot(self) -> None:
        """Restart the server in a moment."""

        def restart() -> None:
            self._server = self._server.restart()

        self._restart = threading.Timer(REBOOT_SECONDS, restart)
        self._restart.start()

    def rotate_master(self) -> None:
        """Do what RDS does: another password on the server, then in the secret."""
        password = f"{self._server.password}-rotated"
        with self._server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("ALTER USER CURRENT_USER() IDENTIFIED BY %s", (password,))
        self._server = replace(self._server, password=password)
        self.client("secretsmanager").put_secret_value(
            SecretId=self._environment.database.master_secret,
            SecretString=json.dumps({"username": self._server.user, "password": password}),
        )


@contextmanager
def open_ground(make: Callable[[Path], GameProject], *, progress: Progress) -> Iterator[LocalGround]:
    """Deploy the project that `make` makes in a folder on this machine; afterwards nothing runs, and no file is left.

    In the block, whatever of this process looks for AWS finds the emulator.

    Raises:
        Refused: something that it needs could not be started, or the first deploy failed.
    """
    with guarded() as folder:
        game = make(folder)
        try:
            with (
                deployed(folder, project=game.project, name=game.name, progress=progress) as environment,
                _aws_is(environment, folder),
            ):
                yield LocalGround(game, Aws(environment.settings.region), environment, progress=progress)
        except (CommandFailed, EmulatorError, StartFailed, ToolMissing) as error:
            raise Refused(f"{type(error).__name__}: {error}") from error


@contextmanager
def _aws_is(environment: LocalEnvironment, folder: Path) -> Iterator[None]:
    before, variables = dict(os.environ), environment.emulator.environment()
    os.environ.clear()
    os.environ.update(variables)
    os.environ.update({"CDK_HOME": str(folder / "cdk" / "home"), "CDK_DISABLE_CLI_TELEMETRY": "true"})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
