"""A job of as many batches as BATCHES says, each of which leaves a row: what is done twice or never can be seen.

The run for the window that ends at CUT_SHORT has time for the first batch only: another one follows it.
"""

import os

from mysql_jobs.deadline import Deadline
from mysql_jobs.run import Run


def run(run: Run) -> None:
    """Do the batches that no earlier run for this window has done."""
    last = int(os.environ["BATCHES"])
    for number in range(int(run.progress.get("batches", 0)) + 1, last + 1):
        with run.cursor() as cursor:
            cursor.execute(
                "INSERT INTO work (job, start, end, batch) VALUES (%s, %s, %s, %s)",
                (os.environ["JOB"], run.window.start, run.window.end, number),
            )
        if number == 1 and f"{run.window.end}" == os.environ.get("CUT_SHORT"):
            run.deadline = Deadline.after(0)  # the next checkpoint ends this run
        if number < last:
            run.checkpoint({"batches": number})
