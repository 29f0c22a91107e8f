"""A job that uses all that a run may reach besides its database, and keeps everything for the next run."""

import gc
import json
import os
from pathlib import Path
from typing import Any

from mysql_jobs.run import Run

USES = {
    "s3": {f"{os.environ['BUCKET']}/*": ("PutObject", "GetObject")},
    "secret": ("billing-api",),
    "internet": (os.environ["API"],),
}
TABLES: dict[str, tuple[str, ...]] = {}
KEPT: list[Any] = []


def run(run: Run) -> dict[str, Any]:
    """Reach for everything, half-read what can be half-read, and keep it; or do as the file STORM says."""
    how = Path(os.environ["STORM"]).read_text()
    if how == "rests":
        return {}
    gc.collect()  # what an earlier run has left comes to its end now
    s3, bucket = run.client("s3"), os.environ["BUCKET"]
    s3.put_object(Bucket=bucket, Key="events/1", Body=b"x" * 300_000)
    body = s3.get_object(Bucket=bucket, Key="events/1")["Body"]
    half = run.http.request("GET", f"https://{os.environ['API']}/half", preload_content=False)
    answer = run.http.request(
        "POST", f"https://{os.environ['API']}/bills", headers={"X-Key": run.secret("billing-api")}
    )
    refused = _use_what_was_kept()  # now that this run's sockets have the numbers of those
    KEPT.append([run.http, s3, body, half, answer, run, run.http.connection_from_url(f"https://{os.environ['API']}")])
    if how == "raises":
        raise ValueError(f"the API refused the key {run.secret('billing-api')}")
    if how == "tells":
        return {"key": run.secret("billing-api")}
    with run.cursor() as cursor:
        cursor.execute("INSERT INTO target (value) VALUES (%s)", ("reached",))
    return {"read": len(body.read(1000)) + len(half.read(50_000)), "refused": refused, "status": answer.status}


def _use_what_was_kept() -> list[str]:
    """What using what earlier runs have kept leads to, each by its error's name."""
    if not KEPT:
        return []
    http, s3, body, half, _answer, before, _pool = KEPT[-1]
    uses = (
        lambda: http.request("GET", f"https://{os.environ['API']}/"),
        lambda: s3.put_object(Bucket=os.environ["BUCKET"], Key="x", Body=b"x"),
        lambda: before.secret("billing-api"),
        lambda: json.dumps(half.read().decode()),
        body.read,
    )
    return [_error(use) for use in uses]


def _error(use: Any) -> str:
    try:
        return f"worked: {use()!r}"
    except Exception as error:  # noqa: BLE001 (each has its own)
        return type(error).__name__
