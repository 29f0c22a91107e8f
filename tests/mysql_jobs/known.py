"""Credentials that need not be asked for."""

from mysql_jobs.credentials import Authentication, Credentials
from mysql_jobs.deadline import Deadline


class Known(Authentication):
    """Gives the same credentials each time; each of `errors` is raised once before."""

    def __init__(self, *errors: Exception, credentials: Credentials | None = None) -> None:
        self.errors = list(errors)
        self.seconds: list[float] = []
        """How long each request might have taken."""
        self.forgotten = 0
        self._known = credentials or Credentials("jobs", "password")

    def credentials(self, deadline: Deadline) -> Credentials:
        self.seconds.append(deadline.remaining())
        if self.errors:
            raise self.errors.pop(0)
        return self._known

    def forget(self) -> None:
        self.forgotten += 1
