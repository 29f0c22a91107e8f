"""What the lab observes: figures as data, written to a file and read from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

Language = Literal["Python", "Node.js"]
Actor = Literal["function", "network", "server", "Lambda"]


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What became of one pattern of handling a connection in one situation."""

    language: Language
    pattern: str
    """What the handler does with its connection, in a few words."""
    situation: str
    """What happened to it, in a few words."""
    next_run: str
    """What the user sees of the run after that: ok, or the error as its author meets it."""
    seconds_blocked: float
    """How long that run took, failed or not."""
    held: int
    """Its connections that were open on the server after the run before had ended: the environment frozen, or gone."""
    still_running: int
    """Statements of the function that the server still worked on after the function had ended."""
    repeats: str = ""
    """What the runs after the next one see: empty if all are ok, else like "on every later run"."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """How many connections one pattern had open on the server during each freeze."""

    language: Language
    pattern: str
    seconds: tuple[float, ...]
    """When each freeze began, since the first run did."""
    connections: tuple[int, ...]
    """As many as `seconds`."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How many of some environments that were alike the incident killed; no run was chosen."""

    node: str
    """The version of Node.js."""
    round_trip_seconds: float
    """What the network adds."""
    answer_seconds: float | None
    """From the goodbye to the arrival of its answer, as measured: the median; None where nothing is in between."""
    freeze_seconds: float | None
    """From the goodbye to the freeze, likewise."""
    environments: int
    died: int
    """In the run after the freeze, of the forgotten timer."""
    refused: int
    """Of these: whose error was posted for the run before, which Lambda refuses."""
    began: int
    """Of these: whose handler had begun."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """A moment on a timeline."""

    seconds: float
    """Since the timeline's own beginning."""
    actor: Actor
    text: str


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """What happened to one pattern, in order."""

    pattern: str
    events: tuple[Event, ...]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One run of the lab."""

    date: str
    """When, in UTC: 2026-11-24."""
    versions: Mapping[str, str]
    """Of everything that took part, by its name."""
    observations: tuple[Observation, ...]
    held: tuple[Held, ...]
    marks: tuple[Event, ...]
    """What happened to all of `held`, on the same clock."""
    timelines: tuple[Timeline, ...]
    stack: tuple[str, ...]
    """Of the original incident's error."""
    rates: tuple[Rate, ...]

    def write(self, file: Path) -> None:
        """Put them into a file, as JSON."""
        file.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Self:
        """Those that `write` has put into a file.

        Raises:
            FileNotFoundError: there is no such file.
            KeyError, TypeError, ValueError: it is not what `write` writes.
        """
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return cls(
            date=found["date"],
            versions=found["versions"],
            observations=tuple(Observation(**each) for each in found["observations"]),
            held=tuple(
                Held(**{**each, "seconds": tuple(each["seconds"]), "connections": tuple(each["connections"])})
                for each in found["held"]
            ),
            marks=tuple(Event(**each) for each in found["marks"]),
            timelines=tuple(
                Timeline(pattern=each["pattern"], events=tuple(Event(**event) for event in each["events"]))
                for each in found["timelines"]
            ),
            stack=tuple(found["stack"]),
            rates=tuple(Rate(**each) for each in found["rates"]),
        )
