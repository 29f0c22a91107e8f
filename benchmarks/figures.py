"""What was measured: a line of the table, a piece of a run, and all of them in a file."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self, TypeVar


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the table: what was measured, and what it must reach."""

    subject: str
    unit: str
    ours: float | None
    """None if it was not measured; `note` says why."""
    bar: float | None
    """None: there is none, the figure stands for itself."""
    better: Literal["less", "more"] = "less"
    others: Mapping[str, float | None] = field(default_factory=dict)
    """The same of what else one could use; None of what could not be measured."""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether it reaches its bar; None if that is not known."""
        if self.ours is None or self.bar is None:
            return None
        return self.ours <= self.bar if self.better == "less" else self.ours >= self.bar

    def ratio(self, other: str) -> float | None:
        """How many times ours the other one is."""
        theirs = self.others[other]
        return theirs / self.ours if theirs is not None and self.ours else None


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A piece of a run, in milliseconds on each network."""

    name: str
    loopback: float
    distant: float


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One run of some benchmarks."""

    date: str
    """When, in UTC: 2026-11-24."""
    machine: str
    versions: Mapping[str, str]
    """Of everything that took part, by its name."""

    def write(self, file: Path) -> None:
        """Put it into a file, as JSON."""
        file.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Figures(Measured):
    """One run of the benchmarks that `make bench` means without more."""

    lines: tuple[Line, ...]
    pieces: tuple[Piece, ...]
    """Where the time of an empty warm run goes."""

    @classmethod
    def read(cls, file: Path) -> Self:
        """Those that `write` has put into a file.

        Raises:
            FileNotFoundError: there is no such file.
            KeyError, TypeError, ValueError: it is not what `write` writes.
        """
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return cls(
            **{name: found[name] for name in ("date", "machine", "versions")},
            lines=tuple(Line(**each) for each in found["lines"]),
            pieces=tuple(Piece(**each) for each in found["pieces"]),
        )


def with_anew(figures: Figures, lines: Sequence[Line], *, date: str) -> Figures:
    """Return `figures` with these lines in place of those of the same subjects; new ones come last.

    They were measured on `date`, and say so if the rest was on another day.
    """
    dated = {
        line.subject: line
        if date == figures.date
        else replace(line, note=f"{line.note}; measured {date}".removeprefix("; "))
        for line in lines
    }
    kept = [dated.pop(line.subject, line) for line in figures.lines]
    return replace(figures, lines=(*kept, *dated.values()))


Name = TypeVar("Name")


def alternating(runs: Mapping[Name, Callable[[], float]], *, rounds: int) -> dict[Name, float]:
    """Return the median of what each returns; one of each in turn, so that whatever else happens here strikes all."""
    seconds: dict[Name, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            seconds[name].append(run())
    return {name: statistics.median(some) for name, some in seconds.items()}


def rounded(value: float) -> str:
    """A figure with three digits that count: 0.12, 4.57, 61.2, 1,234; a whole number as it is."""
    if abs(value) >= 99.95 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"


def listed(lines: Sequence[Line]) -> tuple[int, int, int]:
    """How many lines are met, not met, and of which that is not known, among those that have a bar."""
    known = [line.met for line in lines if line.bar is not None]
    return known.count(True), known.count(False), known.count(None)
