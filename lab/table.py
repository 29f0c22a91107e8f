"""The table of what was observed: for the terminal, and for docs/why-destroy.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from textwrap import wrap

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lab.observation import Figures, Observation, Rate

HEADINGS = ("pattern", "the next run", "takes, s", "held", "still running")
BEGIN = "<!-- make lab writes this: -->"
END = "<!-- to here. -->"


class MarkerMissing(Exception):
    """The document has no markers that say where the table goes."""


@dataclass(frozen=True)
class Row:
    """Patterns with the same outcome in one situation."""

    language: str
    situation: str
    patterns: tuple[str, ...]
    next_run: str
    seconds_blocked: float
    """The longest."""
    held: int
    still_running: int

    @property
    def figures(self) -> tuple[str, str, str]:
        """The last three cells, as in `HEADINGS`."""
        return f"{self.seconds_blocked:.1f}", str(self.held), str(self.still_running)


def rows(observations: Iterable[Observation]) -> list[Row]:
    """Return one row for all patterns with the same outcome in a situation, in the order of `observations`."""
    situations: dict[tuple[str, str], dict[tuple[str, int, int], list[Observation]]] = {}
    for each in observations:
        seen = f"{each.next_run}; then {each.repeats}" if each.repeats else each.next_run
        alike = situations.setdefault((each.language, each.situation), {})
        alike.setdefault((seen, each.held, each.still_running), []).append(each)
    return [
        Row(
            language=language,
            situation=situation,
            patterns=tuple(each.pattern for each in group),
            next_run=seen,
            seconds_blocked=max(each.seconds_blocked for each in group),
            held=held,
            still_running=still_running,
        )
        for (language, situation), alike in situations.items()
        for (seen, held, still_running), group in alike.items()
    ]


def terminal(figures: Figures) -> Table:
    """The table, for a terminal of 80 characters or more."""
    table = Table(
        title=f"The lab, {figures.date}",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for heading in HEADINGS[:2]:
        table.add_column(heading)
    for heading in HEADINGS[2:]:
        table.add_column(heading.replace(" ", "\n"), justify="right")
    for (language, situation), some in groupby(rows(figures.observations), lambda row: (row.language, row.situation)):
        table.add_section()
        table.add_row(Text(f"{language}: {situation}", style="bold"))
        for row in some:
            good = row.next_run == "ok" and not row.held and not row.still_running
            cells = ("\n".join(row.patterns), Text(row.next_run), *row.figures)
            table.add_row(*cells, style="green" if good else None)
    return table


def write(file: Path, figures: Figures) -> None:
    """Put date, versions, table and stack into the document, between its markers.

    Raises:
        MarkerMissing: one of them is not there.
    """
    before, begin, rest = file.read_text(encoding="utf-8").partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not (begin and end):
        raise MarkerMissing(f"{file} has no {END if begin else BEGIN!r}: write it where the table belongs")
    file.write_text(before + BEGIN + "\n" + markdown(figures) + END + after, encoding="utf-8")


def markdown(figures: Figures) -> str:
    """Date, versions, table and the incident's stack, as Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in sorted(figures.versions.items()))
    lines = [*wrap(f"Measured on {figures.date} with {versions}.", 120, break_on_hyphens=False), ""]
    lines += [f"| | {' | '.join(HEADINGS)} |", "|---" * 3 + "|--:" * 3 + "|"]
    for (language, situation), some in groupby(rows(figures.observations), lambda row: (row.language, row.situation)):
        first = f"**{language}**: {situation}"
        for row in some:
            lines.append(f"| {first} | {', '.join(row.patterns)} | {row.next_run} | {' | '.join(row.figures)} |")
            first = ""
    lines += ["", *_rates(figures.rates)]
    lines += ["", "The stack of mysqljs' error:", "", "```text", *figures.stack, "```"]
    return "\n".join(lines) + "\n"


def rates(figures: Figures) -> Table:
    """How often the incident kills, for a terminal."""
    headings, lines = _by_version(figures.rates)
    table = Table(title="mysqljs: await end(), no run chosen", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in headings:
        table.add_column(heading)
    for line in lines:
        table.add_row(*line)
    return table


def _rates(rates: Sequence[Rate]) -> list[str]:
    """How often the incident kills, as a table in Markdown."""
    headings, lines = _by_version(rates)
    return [
        "Environments that mysqljs' `await end()` killed in the run after the freeze, no run chosen; and how long",
        "after the goodbye its answer and the freeze came (the median, in ms):",
        "",
        f"| {' | '.join(headings)} |",
        "|---" * len(headings) + "|",
        *(f"| {' | '.join(line)} |" for line in lines),
    ]


def _by_version(rates: Sequence[Rate]) -> tuple[list[str], list[list[str]]]:
    """Return headings, and for each version what became of its environments at each round trip."""
    groups = [(node, list(some)) for node, some in groupby(rates, lambda rate: rate.node)]
    headings = ["Node.js", *(f"{rate.round_trip_seconds * 1000:g} ms" for rate in groups[0][1])]
    return headings, [[node, *map(_died, some)] for node, some in groups]


def _died(rate: Rate) -> str:
    died = f"{rate.died} of {rate.environments}"
    if rate.answer_seconds is None or rate.freeze_seconds is None:
        return died
    return f"{died} (answer {rate.answer_seconds * 1000:.1f}, freeze {rate.freeze_seconds * 1000:.1f})"
