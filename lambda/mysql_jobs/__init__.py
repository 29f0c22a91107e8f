"""The engine in the function's zip. A job needs `from mysql_jobs import Run`."""

from mysql_jobs.request import Window
from mysql_jobs.run import Run

__all__ = ["Run", "Window"]
