"""The function's handler: one run, from start to finish."""

from __future__ import annotations

import importlib
import os
import sys
from datetime import UTC, datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mysql_jobs.claim import Claim
from mysql_jobs.configuration import (
    read_database,
    read_job,
    read_login,
    read_max_hours,
    read_module,
    read_own_schema,
    read_terms,
    read_timetable,
)
from mysql_jobs.connection import connect
from mysql_jobs.continuation import following
from mysql_jobs.credentials import Authentication
from mysql_jobs.deadline import Deadline, LambdaContext
from mysql_jobs.job_lock import JobLock
from mysql_jobs.leaks import Inventory
from mysql_jobs.ledger import Ledger
from mysql_jobs.parameters import read_parameters
from mysql_jobs.process_state import ProcessState
from mysql_jobs.report import Report, writable
from mysql_jobs.request import Request
from mysql_jobs.run import Run, carry_out

if TYPE_CHECKING:
    from mysql_jobs.outside.outside import Outside


def lambda_handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Run this function's job once, as `event` asks for (see `request.Request.read`); return what the log line says.

    Every error is raised on to Lambda: the function's error status is what makes it retry.
    """
    before, state = Inventory.take(), ProcessState()
    # Not checked here: the log line of a wrongly configured function should name its job, too.
    report = Report(
        job=os.environ.get("JOB", ""), request_id=context.aws_request_id, metrics=os.environ.get("METRICS", "")
    )
    try:
        _run(event, context, report, state)
    except BaseException as error:
        report.failed(error)
        if (told := writable(error, report.secrets)) is not error:
            raise told from None
        raise
    finally:
        try:
            report.restored(state.restore())
            report.leaked(before.leaked_since())
        finally:
            entries = report.write()
    return entries


def _run(event: object, context: LambdaContext, report: Report, state: ProcessState) -> None:
    deadline, began = Deadline.of(context), datetime.now(UTC)
    request = Request.read(event, job=read_job(os.environ), request_id=context.aws_request_id, now=began)
    report.requested(request)
    database, own_schema = read_database(os.environ), read_own_schema(os.environ)
    authentication = Authentication(login=read_login(os.environ), database=database)
    job = _imported(f"jobs.{read_module(os.environ)}", state)
    parameters = read_parameters(job, os.environ)
    terms, most = read_terms(os.environ), read_max_hours(os.environ)
    outside = _outside(job, parameters, deadline)
    with report.timing("connect"):
        connection = connect(
            database=database,
            authentication=authentication,
            deadline=deadline,
            program_name=f"{context.function_name} {context.aws_request_id}",
        )
    try:
        report.connected(connection)
        with report.timing("work"):
            lock = JobLock(
                connection=connection,
                schema=own_schema,
                request=request,
                request_id=context.aws_request_id,
                deadline=deadline,
            )
            ledger = Ledger(connection=connection, schema=own_schema, request=request, lock=lock)
            try:
                claim = ledger.claim(terms)
            finally:
                report.met(lock.orphan)
            if not isinstance(claim, Claim):
                report.refused(claim)
                return
            report.began(claim)
            run = Run(
                request=request,
                claim=claim,
                ledger=ledger,
                parameters=parameters,
                deadline=deadline,
                connection=connection,
                outside=outside,
            )
            try:
                outcome = carry_out(job, run)
            finally:
                if outside is not None:
                    report.reached(outside.destroy())
            report.ended(outcome)
    finally:
        report.destroyed(connection.destroy())
    # Only now: a scheduled time that came while this run held the job's lock found it taken, and is this run's to see.
    report.followed(
        following(
            request, claim, outcome, began=began, now=datetime.now(UTC), timetable=read_timetable(os.environ), most=most
        )
    )


def _outside(job: ModuleType, parameters: Any, deadline: Deadline) -> Outside | None:
    """Return what the run may reach besides its database; None, and nothing is imported for it, if nothing."""
    if not (hasattr(job, "USES") or hasattr(job, "uses")):
        return None
    # Not above: its HTTP client takes 10 ms of a cold start.
    from mysql_jobs.outside.outside import Outside  # noqa: PLC0415

    return Outside.of(job, parameters, deadline)


def _imported(module: str, state: ProcessState) -> ModuleType:
    """Return the job's module; what it sets in the process while it is imported holds for all runs."""
    imported_before = module in sys.modules
    job = importlib.import_module(module)
    if not imported_before:
        state.note()
    return job
