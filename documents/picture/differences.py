"""What the environments differ in, as their boxes say it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from documents.picture.arrows import Architecture

ROWS = {
    "vpc": "Network",
    "subnet": "Zones",
    "flow logs": "Flow log",
    "database": "Database",
    "proxy": "Proxy",
    "endpoint": "Endpoint",
    "secrets": "Secrets",
    "schedule": "Schedules",
    "function": "Functions",
    "trigger": "Deploy",
    "queues": "Queues",
    "job logs": "Logs of jobs",
    "database logs": "Logs of the database",
    "alarms": "Alarms",
    "topic": "Topic",
    "subscriber": "Who is told",
    "dashboard": "Dashboard",
    "also": "Also",
}
"""Every kind of box, in the order of the table."""
NONE = "-"


def differences(environments: Sequence[Architecture]) -> Mapping[str, tuple[str, ...]]:
    """For each row of the table one cell per environment: what isn't the same in all of them."""
    table: dict[str, tuple[str, ...]] = {}
    for kind, label in ROWS.items():
        said = [list(_said(each, kind)) for each in environments]
        common = set.intersection(*(set(texts) for texts in said))
        special = [[text for text in texts if text not in common] for texts in said]
        if any(special):
            # One that has no more than what is common would look empty.
            whole = any(texts and not own for texts, own in zip(said, special, strict=True))
            table[label] = tuple(", ".join(texts) or NONE for texts in (said if whole else special))
    return table


def _said(environment: Architecture, kind: str) -> Iterator[str]:
    """What the boxes of a kind say; of several, each line with its box's title."""
    found = environment.of(kind)
    for box in found:
        if len(found) == 1 or not box.lines:
            yield from (box.title, *box.lines)
        else:
            yield from (f"{box.title}: {line}" for line in box.lines)
