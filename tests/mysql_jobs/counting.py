"""A job with a batch for each five minutes of its window; the file STORM may say what happens in one of them."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from mysql_jobs.deadline import Deadline
from mysql_jobs.run import Run

INTERVAL = timedelta(minutes=5)


def run(run: Run) -> dict[str, Any]:
    """Each batch shows in the table: one that is done twice, or never, would be seen."""
    storm = json.loads(Path(os.environ["STORM"]).read_text())
    count = (run.window.end - run.window.start) // INTERVAL
    for batch in range(run.progress.get("batches", 0), count):
        if storm == {"trouble": "stands_still", "batch": batch}:
            run.deadline = Deadline.after(0)
            run.checkpoint({"batches": batch})
        with run.cursor() as cursor:
            cursor.execute("INSERT INTO work (batch) VALUES (%s)", (run.window.start + batch * INTERVAL,))
        if batch == storm.get("batch"):
            globals()[storm["trouble"]](run)
        if batch + 1 < count:  # the last one is committed with the row that says done
            run.checkpoint({"batches": batch + 1})
    return {"batches": count}


def fails(run: Run) -> None:
    raise ValueError("no such customer")


def out_of_time(run: Run) -> None:
    run.deadline = Deadline.after(0)


def waits(run: Run) -> None:
    """Until somebody else lets go of the first number."""
    with run.cursor() as cursor:
        cursor.execute("UPDATE number SET n = n WHERE n = 1")
