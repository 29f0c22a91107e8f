"""One run, start to finish."""

from __future__ import annotations

import importlib
import os
from typing import Any

from configuration import read_database, read_job, read_login
from connection import connect
from credentials import Authentication
from deadline import Deadline, LambdaContext
from leftovers import Inventory
from report import Report
from run import EventError, Request, Run, carry_out


def lambda_handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Run this function's job once, for the scheduled time in `event`; returns what the log line says.

    Whatever the job raises, Lambda sees: the function's error status is what makes it retry.
    """
    before = Inventory.take()
    report = Report(context.aws_request_id)
    try:
        _run(event, context, report)
    except BaseException as error:
        report.failed(error)
        raise
    finally:
        try:
            report.left(before.left_since())
        finally:
            report.write()
    return report.entries


def _run(event: object, context: LambdaContext, report: Report) -> None:
    deadline = Deadline.of(context)
    request = Request.read(event)
    report.requested(request)
    job = importlib.import_module(f"jobs.{_own_job(request)}")
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
            result = carry_out(job, Run(request=request, deadline=deadline, connection=connection))
            connection.commit()
        report.done(result)
    finally:
        report.destroyed(connection.destroy())


def _own_job(request: Request) -> str:
    own = read_job(os.environ)
    if request.job != own:
        raise EventError(f"the event's job is {request.job!r}, but this function runs {own!r}")
    return own
