"""Run a job as Lambda would: through the real handler, as a database user that has this job's rights only."""

from __future__ import annotations

import importlib
import itertools
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from types import ModuleType
from typing import Any, Literal
from unittest import mock

from mysql_jobs import Run, handler
from mysql_jobs.run import Outcome, carry_out
from settings.environment import JobSettings
from settings.project import Project
from testkit.aws import Aws, unreached
from testkit.database import Database
from testkit.function import Context
from testkit.job_modules import jobs_of

Report = dict[str, Any]
"""What stands in a run's log line: outcome, result, progress, window_start, leaked and so on; see docs/runs.md."""
NO_FIELDS = {*vars(logging.makeLogRecord({})), "message", "asctime"}
"""What is in every log record of Python's."""


class KilledError(BaseException):
    """The run that a test wanted killed ends here. No `except Exception` of a job sees it."""


class Job:
    """Runs jobs, and remembers the last run.

    Attributes:
        report: of the last run, also if it raised.
    """

    def __init__(self, project: Project, database: Database) -> None:
        """The jobs of `project` that work in `database`."""
        self.report: Report = {}
        self._project = project
        self._database = database
        self._last: tuple[JobSettings, dict[str, object], Aws | None] | None = None
        self._numbers = itertools.count(1)

    def __call__(
        self,
        name: str,
        *,
        at: datetime | str | None = None,
        window: tuple[datetime | str, datetime | str] | None = None,
        dry_run: bool = False,
        parameters: Mapping[str, Any] | None = None,
        variables: Mapping[str, str] | None = None,
        deadline: float = 30,
        stop_after_checkpoints: int | None = None,
        killed: Literal["before_commit", "after_commit"] | None = None,
        meanwhile: Callable[[], object] | None = None,
        aws: Aws | None = None,
    ) -> Report:
        """Run the job `name` once; return its report. What the job raises is raised here.

        Args:
            name: of a module in lambda/jobs/.
            at: the scheduled time, like "2026-11-23T08:00Z"; not in the future.
            window: start and end of a run by hand, in place of `at`.
            dry_run: whether to roll everything back.
            parameters: as in an environment file; what is not given is as the job's `Parameters` say.
            variables: environment variables of its own, as in an environment file.
            deadline: how many seconds the run has.
            stop_after_checkpoints: after how many checkpoints the run is short of time, and so ends as partial.
            killed: the run does its work and is killed then, just before its commit or just after it; such a run has
                failed, and its report is returned. `again` is its retry.
            meanwhile: what another program does when the job has returned and its rows are still locked.
            aws: the stand-in that the run has for AWS; without it, it reaches none.

        Raises:
            ValueError: there is no such job, or `parameters` or `variables` are wrong; the message is that of
                `make synth`.
        """
        # Half of what an environment file says of a job matters to its schedule only: any will do.
        told = {"parameters": dict(parameters or {}), "variables": dict(variables or {})}
        entry = {"name": name, "schedule": "rate(1 hour)", **told}
        settings = JobSettings.model_validate(entry, context=self._project)
        event: dict[str, object] = {"job": name, "execution_id": f"execution {next(self._numbers)}"}
        if at is not None:
            event["scheduled_time"] = _text(at)
        if window is not None:
            event["window"] = {"start": _text(window[0]), "end": _text(window[1])}
        if dry_run:
            event["dry_run"] = True
        return self.deliver(
            settings,
            event,
            deadline=deadline,
            stop_after_checkpoints=stop_after_checkpoints,
            killed=killed,
            meanwhile=meanwhile,
            aws=aws,
        )

    def again(self) -> Report:
        """Deliver the last event a second time, as Scheduler and Lambda may; return the report."""
        if self._last is None:
            raise AssertionError('nothing has run yet: write job("name", at=…) first')
        settings, event, aws = self._last
        return self.deliver(settings, event, aws=aws)

    def deliver(
        self,
        settings: JobSettings,
        event: dict[str, object],
        *,
        deadline: float = 30,
        stop_after_checkpoints: int | None = None,
        killed: Literal["before_commit", "after_commit"] | None = None,
        meanwhile: Callable[[], object] | None = None,
        aws: Aws | None = None,
    ) -> Report:
        """Run the job of an entry in [[jobs]] for an event; return its report."""
        self._last = settings, event, aws
        self.report = {}
        self._database.migrate(settings.rights)
        request = f"request {next(self._numbers)}"
        context = Context.of(f"test-{settings.name}", request, seconds=deadline)
        with ExitStack() as around:
            around.enter_context(jobs_of(self._project))
            around.enter_context(unreached() if aws is None else aws.reached())
            around.enter_context(self._database.function(_variables(settings)))
            around.enter_context(self._listening())
            if stop_after_checkpoints is not None:
                around.enter_context(_short_of_time_after(stop_after_checkpoints))
            if meanwhile is not None:
                around.enter_context(_before_commit(settings.module_name, meanwhile))
            if killed == "before_commit":
                around.enter_context(_before_commit(settings.module_name, _die))
            if killed == "after_commit":
                around.enter_context(_after_commit(_die))
            around.enter_context(suppress(KilledError))
            handler.lambda_handler(event, context)
        return self.report

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """The report is what the log line says: there also when the run raises."""

        class Listener(logging.Handler):
            def emit(_, record: logging.LogRecord) -> None:  # noqa: N805
                if record.getMessage() == "run":
                    self.report = {name: value for name, value in vars(record).items() if name not in NO_FIELDS}

        listener = Listener()
        handler_logger = logging.getLogger("mysql_jobs")
        handler_logger.addHandler(listener)
        try:
            yield
        finally:
            handler_logger.removeHandler(listener)


def _variables(settings: JobSettings) -> dict[str, str]:
    """What the function is told of the job, which no variable of this process may add to."""
    # A scheduled time is the test's own: which have passed by now is no matter of its.
    return {"PARAMETERS": "{}", "MODULE": settings.module_name, **settings.function_variables, "SCHEDULE": ""}


@contextmanager
def _short_of_time_after(checkpoints: int) -> Iterator[None]:
    """Within, a run takes its checkpoint of this number for the last one that it has time for."""
    checkpoint, numbers = Run.checkpoint, itertools.count(1)

    def counted(run: Run, progress: Mapping[str, Any]) -> None:
        if next(numbers) == checkpoints:
            run._longest_batch = math.inf
        checkpoint(run, progress)

    with mock.patch.object(Run, "checkpoint", counted):
        yield


@contextmanager
def _before_commit(name: str, happens: Callable[[], object]) -> Iterator[None]:
    """Within, something happens when the job of the module `name` has returned, and its transaction is still open."""
    module = importlib.import_module(f"jobs.{name}")
    work = module.run

    def run(run: Run) -> Any:
        result = work(run)
        happens()
        return result

    with mock.patch.object(module, "run", run):
        yield


@contextmanager
def _after_commit(happens: Callable[[], object]) -> Iterator[None]:
    """Within, something happens when a job's last transaction is committed, and nobody has been told."""

    def carried_out(job: ModuleType, run: Run) -> Outcome:
        outcome = carry_out(job, run)
        happens()
        return outcome

    with mock.patch("mysql_jobs.handler.carry_out", carried_out):
        yield


def _die() -> None:
    raise KilledError


def _text(time: datetime | str) -> str:
    return time if isinstance(time, str) else time.isoformat()
