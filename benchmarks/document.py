"""The table of the figures: for the terminal, and for docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from benchmarks.curves import Growth
from benchmarks.figures import Figures, Line, listed, rounded

BEGIN = "<!-- make bench writes this: -->"
BEGIN_GROWTH = "<!-- make bench SCALE=1 writes this: -->"
END = "<!-- to here. -->"
STYLES: Mapping[bool | None, str] = {True: "green", False: "red", None: "dim"}


class MarkerMissing(Exception):
    """The document has no markers that say where the table goes."""


def terminal(figures: Figures) -> Table:
    """The table, for a terminal of 80 characters or more."""
    table = Table(title=f"The benchmarks, {figures.date}", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("")
    for heading in ("ours", "must reach"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for line in figures.lines:
        about = Text(line.subject)
        for text in (_others(line), line.note):
            about.append(f"\n{text}" if text else "", style="dim")
        table.add_row(about, _ours(line), _bar(line), Text(verdict(line), style=STYLES[line.met]))
    return table


def write(file: Path, text: str, *, begin: str = BEGIN) -> None:
    """Put `text` into the document, between the marker `begin` and the next `END`.

    Raises:
        MarkerMissing: one of them is not there.
    """
    before, begun, rest = file.read_text(encoding="utf-8").partition(begin)
    _old, end, after = rest.partition(END)
    if not (begun and end):
        raise MarkerMissing(f"{file} has no {END if begun else begin!r}: write it where the table belongs")
    file.write_text(before + begin + "\n" + text + END + after, encoding="utf-8")


def growth_markdown(growth: Growth) -> str:
    """Date, versions and a table for each curve, as Markdown."""
    lines = [*wrap(_measured(growth), 120, break_on_hyphens=False), ""]
    for curve in growth.curves:
        about = f" ({curve.note})" if curve.note else ""
        lines += [*wrap(f"**{curve.subject}**{about}:", 120, break_on_hyphens=False), ""]
        lines += [f"| {curve.across} | {' | '.join(f'{size:,}' for size in curve.sizes)} |"]
        lines += ["|---" + "|--:" * len(curve.sizes) + "|"]
        lines += [f"| {name} | {' | '.join(map(rounded, values))} |" for name, values in curve.measures.items()]
        lines += [""]
    return "\n".join(lines)


def growth_terminal(growth: Growth) -> Iterator[Table]:
    """A table for each curve, for a terminal of 80 characters or more."""
    for curve in growth.curves:
        table = Table(title=curve.subject, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        table.add_column(curve.across)
        for size in curve.sizes:
            table.add_column(f"{size:,}", justify="right")
        for name, values in curve.measures.items():
            table.add_row(name, *map(rounded, values))
        yield table


def markdown(figures: Figures) -> str:
    """Date, versions and table, as Markdown."""
    met, not_met, unknown = listed(figures.lines)
    counts = f"Bars met: {met}; not met: {not_met}; not measured here: {unknown}."
    lines = [*wrap(f"{_measured(figures)} {counts}", 120, break_on_hyphens=False), ""]
    lines += ["| | ours | must reach | | others | |", "|---|--:|--:|---|---|---|"]
    for line in figures.lines:
        cells = (line.subject, _ours(line), _bar(line), verdict(line), _others(line), line.note)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _measured(what: Figures | Growth) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(what.versions.items()))
    return f"Measured on {what.date} on {what.machine}, with {versions}."


def verdict(line: Line) -> str:
    """Whether its bar is met, in words; empty if there is none."""
    if line.met is None:
        return "unknown" if line.bar is not None else ""
    return "met" if line.met else "not met"


def _others(line: Line) -> str:
    return ", ".join(f"{name} {_figure(value)}" for name, value in line.others.items())


def _ours(line: Line) -> str:
    return "?" if line.ours is None else f"{rounded(line.ours)} {line.unit}"


def _bar(line: Line) -> str:
    if line.bar is None:
        return ""
    return f"{'≤' if line.better == 'less' else '≥'} {line.bar:,g} {line.unit}"


def _figure(value: float | None) -> str:
    return "?" if value is None else rounded(value)
