"""Tells others how many events there were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mysql_jobs import Run

TABLES = {"event": ("SELECT",)}


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Whom to tell, and where."""

    bucket: str | None = None
    queue: str | None = None
    senders: tuple[str, ...] = ()
    table: str | None = None
    secret: str | None = None
    hosts: tuple[str, ...] = ()


def uses(parameters: Parameters) -> dict[str, Any]:
    """What is named, and nothing else."""
    stated: dict[str, Any] = {
        "s3": {f"{parameters.bucket}/events/*": ("PutObject",)} if parameters.bucket else None,
        "sqs": {parameters.queue: ("SendMessage",)} if parameters.queue else None,
        "ses": {f"identity/{each}": ("SendEmail",) for each in parameters.senders},
        "dynamodb": {f"table/{parameters.table}": ("PutItem", "UpdateItem")} if parameters.table else None,
        "secret": (parameters.secret,) if parameters.secret else None,
        "internet": parameters.hosts,
    }
    return {kind: what for kind, what in stated.items() if what}


def run(run: Run) -> dict[str, Any]:
    """Count them, with the key of whom they are told to."""
    parameters: Parameters = run.parameters
    with run.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM event WHERE occurred_at < %s", (run.window.end,))
        [(events,)] = cursor.fetchall()
    key = run.secret(parameters.secret) if parameters.secret else ""
    return {"events": events, "key_length": len(key)}
