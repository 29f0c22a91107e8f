"""One run, start to finish."""

from __future__ import annotations

import importlib
import os
from datetime import UTC, datetime
from typing import Any

from configuration import read_database, read_job, read_login, read_max_window
from connection import connect
from credentials import Authentication
from deadline import Deadline, LambdaContext
from ledger import Ledger, Turn
from leftovers import Inventory
from parameters import read_parameters
from report import Report
from request import Request
from run import Run, carry_out


def lambda_handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Run this function's job once, as `event` asks for (see `request.Request.read`); returns what the log line says.

    Whatever the job raises, Lambda sees: the function's error status is what makes it retry.
    """
    before = Inventory.take()
    # Read as it is: also of a function that is configured wrongly, the line shall say whose it is.
    report = Report(job=os.environ.get("JOB", ""), request_id=context.aws_request_id)
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
            turn = ledger.take_turn(max_window)
            if not isinstance(turn, Turn):
                report.refused(turn)
                return
            report.began(turn)
            run = Run(
                request=request,
                turn=turn,
                ledger=ledger,
                parameters=parameters,
                deadline=deadline,
                connection=connection,
            )
            report.ended(carry_out(job, run))
    finally:
        report.destroyed(connection.destroy())
