"""A job that marks the time it is at work by a file, MARKER, which only one run at a time can make.

MySQL has no part in that: it shows two runs at work at once also where the job's lock does not keep them apart.
"""

import os
import time
from pathlib import Path

from mysql_jobs.run import Run


def run(run: Run) -> None:
    """Work for longer than another run waits for the lock; fail if somebody else works."""
    marker = Path(os.environ["MARKER"])
    marker.touch(exist_ok=False)
    try:
        with run.cursor() as cursor:
            cursor.execute("INSERT INTO work (start, end) VALUES (%s, %s)", (run.window.start, run.window.end))
        time.sleep(0.2)
    finally:
        marker.unlink()
