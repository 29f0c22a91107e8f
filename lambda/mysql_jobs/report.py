"""The one log line of a run."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from mysql_jobs.claim import Claim, Refusal
from mysql_jobs.connection import Connection, Destroyed
from mysql_jobs.continuation import Following
from mysql_jobs.metrics import Measures, embedded
from mysql_jobs.request import Request
from mysql_jobs.run import Outcome

if TYPE_CHECKING:
    from mysql_jobs.outside.outside import Reached

logger = logging.getLogger("mysql_jobs")
logger.setLevel(logging.INFO)

LONGEST_TEXT = 8_192
"""Characters of an error. The whole line must stay below 256 KB; run.LONGEST_JSON bounds what a job returns.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""
LONGEST_ITEM = 256
"""Characters of an item of a list."""
LONGEST_LIST = 20
"""Items of a list."""
MEASURES = {
    "duration_ms": "Milliseconds",
    "connect_ms": "Milliseconds",
    "destroy_ms": "Milliseconds",
    "attempts": "Count",
    "stuck": "Count",
}
"""The fields that are metrics by job, and their units: stacks/jobs/run_metrics.py."""


class Report:
    """Everything about a run, collected during the run and written once at its end.

    With Lambda's JSON log format each entry becomes a field of the log line, and CloudWatch makes metrics of some.
    """

    def __init__(self, *, job: str, request_id: str, metrics: str = "") -> None:
        """Begin the report of the invocation `request_id`; its outcome is `failed` until another is known.

        `metrics` is the namespace of the line's metrics; without it, there are none.
        """
        self.secrets: tuple[str, ...] = ()
        """What the run has read of secrets, and no line may show."""
        self._started = time.monotonic()
        self._metrics = metrics
        self.entries: dict[str, Any] = {"job": job, "request_id": request_id, "outcome": "failed"}

    def requested(self, request: Request) -> None:
        """Add which run was asked for."""
        self.entries["scheduled_time"] = request.scheduled_time.isoformat()
        self.entries["execution_id"] = request.execution_id
        if request.continued is not None:
            self.entries["continued"] = request.continued.number

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Add how long `stage` takes, in milliseconds, whether it succeeds or fails."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.entries[f"{stage}_ms"] = _milliseconds(time.monotonic() - started)

    def connected(self, connection: Connection) -> None:
        """Add how many attempts it took to connect."""
        self.entries["attempts"] = connection.attempts

    def refused(self, refusal: Refusal) -> None:
        """Set the outcome of a run that has nothing to do."""
        self.entries["outcome"] = refusal

    def met(self, orphan: str) -> None:
        """Add the orphan that held the job's lock, if there was one."""
        if orphan:
            self.entries["orphan"] = _bounded(orphan)

    def began(self, claim: Claim) -> None:
        """Add the window that the run claimed."""
        self.entries["window_start"] = claim.window.start.isoformat()
        self.entries["window_end"] = claim.window.end.isoformat()
        if claim.skipped is not None:
            self.entries["skipped_from"] = claim.skipped.start.isoformat()

    def reached(self, reached: Reached) -> None:
        """Add where the run was besides its database, and know what it has read of secrets."""
        self.secrets = reached.secrets
        if reached.places:
            self.entries["reached"] = _listed(list(reached.places))

    def ended(self, outcome: Outcome) -> None:
        """Set the outcome of a job whose work is committed or, in a dry run, rolled back."""
        self.entries["outcome"] = outcome.word
        self.entries["result"] = outcome.result
        if outcome.progress:
            self.entries["progress"] = outcome.progress

    def followed(self, following: Following) -> None:
        """Add the event of the run that follows at once, or that work is left and none does."""
        self.entries["stuck"] = int(following.stuck)
        if following.event is not None:
            self.entries["next"] = following.event

    def failed(self, error: BaseException) -> None:
        """Set the outcome `failed`, and add `error`."""
        self.entries["outcome"] = "failed"
        self.entries["error"] = f"{type(error).__name__}: {_text(error, self.secrets)}"

    def destroyed(self, destroyed: Destroyed) -> None:
        """Add how the connection was destroyed."""
        self.entries["destroyed"] = destroyed.how
        self.entries["destroy_ms"] = _milliseconds(destroyed.seconds)
        if destroyed.killed:
            self.entries["killed"] = _bounded(destroyed.killed)

    def restored(self, settings: list[str]) -> None:
        """Add what the run has changed in the whole process, and was put back."""
        if settings:
            self.entries["restored"] = _listed(settings)

    def leaked(self, leaks: list[str]) -> None:
        """Add what the run left open in the process; nothing should be."""
        self.entries["leaked"] = _listed(leaks)

    def write(self) -> dict[str, Any]:
        """Write the log line, and return what it says."""
        self.entries["duration_ms"] = _milliseconds(time.monotonic() - self._started)
        good = self.entries["outcome"] != "failed" and not self.entries.get("leaked")
        # Whatever a job returned: one lone surrogate, which UTF-8 can't encode, would cost the whole line.
        text = json.dumps(self.entries, ensure_ascii=False, default=str).encode("utf-8", "replace")
        entries: dict[str, Any] = _concealed(json.loads(text), self.secrets)
        line = embedded({**entries, "runs": 1}, _measures(entries), self._metrics) if self._metrics else entries
        logger.log(logging.INFO if good else logging.ERROR, "run", extra=line)
        return entries


def _measures(entries: Mapping[str, Any]) -> list[Measures]:
    """Return what of a run becomes a metric."""
    whole = entries["outcome"] != "partial"  # a run that was cut at a checkpoint has used all its time
    by_job = MEASURES if whole else {name: unit for name, unit in MEASURES.items() if name != "duration_ms"}
    return [Measures({"runs": "Count"}, by=("job", "outcome")), Measures(by_job, by=("job",))]


def writable(error: BaseException, secrets: tuple[str, ...] = ()) -> BaseException:
    """Return `error`, or one of the same name if Lambda's runtime client could not write its text, or should not.

    That client takes str(error), encodes it as UTF-8, and dies of what either raises. It logs the text, which
    shall show none of `secrets`.
    """
    text = _text(error, secrets)
    if not isinstance(error, Exception) and text == _text(error, ()):
        return error  # it ends the process anyway
    with suppress(Exception):  # of a __str__ that raises: `text` says so
        if str(error) == text:
            return error
    # One that ends the process has its text written, too: Python does so with that of SystemExit.
    kind = Exception if isinstance(error, Exception) else BaseException
    told: BaseException = type(type(error).__name__, (kind,), {})(text)
    return told.with_traceback(error.__traceback__)


def _concealed(value: Any, secrets: tuple[str, ...]) -> Any:
    """Return `value`, of JSON, without `secrets`."""
    match value:
        case str():
            for each in secrets:
                value = value.replace(each, "***")
            return value
        case dict():
            return {_concealed(key, secrets): _concealed(each, secrets) for key, each in value.items()}
        case list():
            return [_concealed(each, secrets) for each in value]
    return value


def _text(error: BaseException, secrets: tuple[str, ...]) -> str:
    try:
        # In this order: of a secret that the bound cuts, the beginning would be shown.
        return _bounded(_concealed(str(error), secrets))
    except Exception as failure:  # noqa: BLE001 (a failing __str__ must not hide the error itself)
        return f"its text could not be made: {type(failure).__name__}"


def _bounded(text: str, longest: int = LONGEST_TEXT) -> str:
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"


def _listed(texts: list[str]) -> list[str]:
    more = [f"and {len(texts) - LONGEST_LIST} more"] if len(texts) > LONGEST_LIST else []
    return [*(_bounded(text, LONGEST_ITEM) for text in texts[:LONGEST_LIST]), *more]


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)
