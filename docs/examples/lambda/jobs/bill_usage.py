"""Bills each customer for each whole hour of usage, by an API that knows idempotency keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mysql_jobs import Run, Window

TABLES = {"usage_hourly": ("SELECT",), "bill": ("SELECT", "INSERT")}
SECRET = "billing-api"  # noqa: S105 (its name)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Who bills."""

    host: str = "api.billing.example:443"


def uses(parameters: Parameters) -> dict[str, Any]:
    """The API, and its key."""
    return {"internet": (parameters.host,), "secret": (SECRET,)}


def run(run: Run) -> dict[str, Any]:
    """Bill hour by hour; what is billed is committed before the next hour is."""
    billed = run.progress.get("billed", 0)
    for hour in _hours(run.window, after=run.progress.get("hour")):
        for customer, units in _unbilled(run, hour):
            if not run.dry_run:
                number = _bill(run, customer, hour, units)
                with run.cursor() as cursor:
                    statement = "INSERT INTO bill (customer, hour, units, number) VALUES (%s, %s, %s, %s)"
                    cursor.execute(statement, (customer, hour, units, number))
            billed += 1
        run.checkpoint({"hour": hour.isoformat(), "billed": billed})
    return {"billed": billed}


def _hours(window: Window, after: str | None) -> Iterator[datetime]:
    """The hours that end in the window: those of two windows that follow each other have none in common."""
    hour = window.start.replace(minute=0, second=0, microsecond=0)
    if after is not None:
        hour = datetime.fromisoformat(after) + HOUR
    while hour + HOUR <= window.end:
        if hour + HOUR > window.start:
            yield hour
        hour += HOUR


def _unbilled(run: Run, hour: datetime) -> list[tuple[str, int]]:
    with run.cursor() as cursor:
        cursor.execute(
            "SELECT customer, usage_hourly.units FROM usage_hourly LEFT JOIN bill USING (customer, hour)"
            " WHERE hour = %s AND number IS NULL ORDER BY customer",
            (hour,),
        )
        return [(customer, int(units)) for customer, units in cursor.fetchall()]


def _bill(run: Run, customer: str, hour: datetime, units: int) -> str:
    """Have one bill made; return its number. With the same key, the API makes no second one, and says the first."""
    parameters: Parameters = run.parameters
    answer = run.http.request(
        "POST",
        f"https://{parameters.host}/v1/bills",
        json={"customer": customer, "hour": hour.isoformat(), "units": units},
        headers={
            "Authorization": f"Bearer {run.secret(SECRET)}",
            "Idempotency-Key": f"usage/{customer}/{hour:%Y-%m-%dT%H}",
        },
    )
    if answer.status not in (200, 201):
        raise RuntimeError(f"the billing API answered {answer.status} for {customer}, {hour:%Y-%m-%dT%H}")
    return str(answer.json()["number"])
