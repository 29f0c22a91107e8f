"""Many execution environments that run at the same instant: `python -m benchmarks.environments SETTINGS`.

Each is a process of its own, with a job of its own, that has run before; prints a line of JSON for each run.
"""

from __future__ import annotations

import importlib
import json
import logging
import multiprocessing
import os
import sys
import time
from multiprocessing.synchronize import Barrier
from typing import Any

from benchmarks.in_process import PROJECT, event
from mysql_jobs import handler
from mysql_jobs.credentials import Credentials
from testkit.function import Context, configured
from testkit.job_modules import jobs_of

RUN_SECONDS = 60.0


def main() -> None:
    """Run as many environments as SETTINGS say."""
    settings: dict[str, Any] = json.loads(sys.argv[1])
    logging.getLogger("mysql_jobs").propagate = False
    logging.getLogger("mysql_jobs").addHandler(logging.NullHandler())
    count: int = settings["environments"]
    fork = multiprocessing.get_context("fork")
    secrets = {settings["variables"]["DATABASE_SECRET"]: Credentials(**settings["login"])}
    with configured(settings["variables"], secrets), jobs_of(PROJECT):
        job = importlib.import_module("jobs.brief")
        names = [f"brief_{os.getpid()}_{number}" for number in range(count)]  # no earlier run of it is in the ledger
        for name in ("warm", *names):
            sys.modules[f"jobs.{name}"] = job
        os.environ["JOB"] = "warm"
        _run()  # what it leaves in this process, each environment has from its run before
        barrier = fork.Barrier(count)
        processes = [fork.Process(target=_environment, args=(name, barrier)) for name in names]
        for process in processes:
            process.start()
        for process in processes:
            process.join()


def _environment(job: str, barrier: Barrier) -> None:
    os.environ["JOB"] = job
    barrier.wait(300)
    line = json.dumps(_run()) + "\n"
    os.write(sys.stdout.fileno(), line.encode())  # at once, so that lines of several processes don't mix


def _run() -> dict[str, Any]:
    context = Context.of("benchmark", f"request-{os.getpid()}", seconds=RUN_SECONDS)
    started = time.monotonic()
    try:
        report = handler.lambda_handler(event(), context)
    except Exception as error:  # noqa: BLE001 (it is counted)
        return {"seconds": time.monotonic() - started, "outcome": type(error).__name__, "attempts": 0}
    return {
        "seconds": time.monotonic() - started,
        "outcome": report["outcome"],
        "attempts": report["attempts"],
    }


if __name__ == "__main__":
    main()
