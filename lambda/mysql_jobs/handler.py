"""The function's handler: one run, from start to finish."""

from __future__ import annotations

import importlib
import os
from datetime import UTC, datetime
from typing import Any

from mysql_jobs.configuration import read_database, read_job, read_login, read_max_window
from mysql_jobs.connection import connect
from mysql_jobs.credentials import Authentication
from mysql_jobs.deadline import Deadline, LambdaContext
from mysql_jobs.leaks import Inventory
from mysql_jobs.ledger import Claim, Ledger
from mysql_jobs.parameters import read_parameters
from mysql_jobs.report import Report
from mysql_jobs.request import Request
from mysql_jobs.run import Run, carry_out


def lambda_handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Run this function's job once, as `event` asks for (see `request.Request.read`); return what the log line says.

    Every error is raised on to Lambda: the function's error status is what makes it retry.
    """
    before = Inventory.take()
    # Not checked here: the log line of a wrongly configured function should name its job, too.
    report = Report(job=os.environ.get("JOB", ""), request_id=context.aws_request_id)
    try:
        _run(event, context, report)
    except BaseException as error:
        report.failed(error)
        raise
    finally:
        try:
            report.leaked(before.leaked_since())
        finally:
            report.write()
    return report.entries


def _run(event: object, context: LambdaContext, report: Report) -> None:
    deadline = Deadline.of(context)
    job_name = read_job(os.environ)
    request = Request.read(event, job=job_name, request_id=context.aws_request_id, now=datetime.now(UTC))
    report.requested(request)
    job = importlib.import_module(f"jobs.{job_name}")
    parameters = read_parameters(job, os.environ)
    max_window = read_max_window(os.environ)
    database = read_database(os.environ)
    authentication = Authentication(login=read_login(os.environ), database=database)
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
            ledger = Ledger(connection=connection, schema=database.name, request=request)
            claim = ledger.claim(max_window)
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
            )
            report.ended(carry_out(job, run))
    finally:
        report.destroyed(connection.destroy())
