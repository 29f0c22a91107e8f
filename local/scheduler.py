"""In place of EventBridge Scheduler: the event that a deployed schedule would send.

The emulator's scheduler fires on time but leaves <aws.scheduler.scheduled-time> as it stands in the template.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.emulator import Emulator


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What a schedule sends, and to which function."""

    function: str
    """Its name."""
    event: dict[str, Any]


def delivery(emulator: Emulator, schedule: str, scheduled_time: datetime) -> Delivery:
    """Return what `schedule`, deployed in `emulator`, sends for `scheduled_time` (UTC)."""
    target = emulator.client("scheduler").get_schedule(Name=schedule)["Target"]
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    attributes = {
        "<aws.scheduler.scheduled-time>": f"{scheduled_time:%Y-%m-%dT%H:%M:%SZ}",
        "<aws.scheduler.execution-id>": str(uuid.uuid4()),
    }
    text: str = target["Input"]
    for name, value in attributes.items():
        text = text.replace(name, value)
    return Delivery(function=target["Arn"].rpartition(":")[2], event=json.loads(text))
