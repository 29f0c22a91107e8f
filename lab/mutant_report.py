"""What became of the mutants: a document, the figures that it is made of, and why those that live are right to.

Beside the document, in lab/, are its figures (.json) and the explanations (.toml), written by people.
"""

from __future__ import annotations

import json
import platform
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lab.mutators import Mutant

Name = tuple[str, str, str, str]
"""Module, place, kind and change."""

INTRODUCTION = """\
# Mutants

Each is `lambda/mysql_jobs/` with one small mistake: a condition turned around, a number off by one, a statement, an
argument or an element dropped, another word in a statement of SQL, an exception not caught. One that no test notices
shows what the tests don't protect, so each that lives is explained here, or `make mutants` fails. It writes this page;
`make mutants MODULE=session` makes those of one module.

The tests of a module are those in files that import from it and run the engine in their own process, on a real MySQL
server; those on Lambda's runtime client take no part, so what only they notice lives, and is explained by them. For a
mutant, those run that call what it changes, the shortest first, one with each parameter after the other, for a minute
at most. Left out are annotations, docstrings, the decorators of dataclasses, as mypy refuses what they forbid, and what
an error or the log says. *hang*: a test ran into the bound of 10 s, and ten times what it takes; that counts as killed.
*tests*: how many the module has. A test kills only if it fails twice.
"""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one mutant."""

    mutant: Mutant
    verdict: str
    """killed, hangs or lives."""
    by: str
    """The test that decided it."""


def explanations(document: Path | None) -> dict[Name, str]:
    """Return, by mutant, why it may live: what is written beside the document."""
    file = _beside(document, "toml") if document else None
    if file is None or not file.exists():
        return {}
    tables = tomllib.loads(file.read_text())["mutant"]
    return {(each["module"], each["place"], each["kind"], each["change"]): each["why"] for each in tables}


def summary(module: str, results: Sequence[Result]) -> str:
    """One line about the mutants of a module."""
    counts = Counter(each.verdict for each in results)
    killed = counts["killed"] + counts["hangs"]
    return f"{module}: {len(results)} mutants, {killed} killed ({counts['hangs']} hang), {counts['lives']} live"


def record(
    document: Path, file: Path, results: Sequence[Result], *, tests: int, modules: Sequence[str], now: datetime
) -> None:
    """Put the figures of the module in `file` beside the document, and write that anew.

    So many `tests` took part; `modules` are all that there are, whether they were run or not.
    """
    kept = _beside(document, "json")
    figures: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    figures[file.stem] = {
        "date": f"{now:%Y-%m-%d}",
        "tests": tests,
        "python": platform.python_version(),
        "mutants": len(results),
        "hang": sum(each.verdict == "hangs" for each in results),
        "live": [list(each.mutant.name) for each in results if each.verdict == "lives"],
    }
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(dict(sorted(figures.items())), indent=1, ensure_ascii=False) + "\n")
    document.write_text(markdown(figures, explanations(document), modules))


def markdown(figures: Mapping[str, Any], explained: Mapping[Name, str], modules: Sequence[str]) -> str:
    """The document."""
    lines = [INTRODUCTION, "| module | mutants | killed | of these hang | live | tests | run on | Python |"]
    lines.append("|---|--:|--:|--:|--:|--:|---|---|")
    for module, each in figures.items():
        live = len(each["live"])
        cells = (
            each["mutants"],
            each["mutants"] - live,
            each["hang"],
            live,
            each["tests"],
            each["date"],
            each["python"],
        )
        lines.append(f"| `{module}` | {' | '.join(map(str, cells))} |")
    if not_run := [f"`{module}`" for module in modules if module not in figures]:
        lines += ["", f"**Not run yet**: {', '.join(not_run)}."]
    for module, each in figures.items():
        if each["live"]:
            lines += ["", f"## {module}", "", "| where | mutant | why it lives |", "|---|---|---|"]
            for place, kind, change in each["live"]:
                why = explained.get((module, place, kind, change), "**not explained**")
                lines.append(f"| `{place}` | {kind}: {_code(change)} | {why} |")
    return "\n".join(lines) + "\n"


def _code(change: str) -> str:
    before, arrow, after = change.replace("|", "\\|").partition(" → ")
    return f"`{before}`{arrow}" + (after if after in ("", "nothing") else f"`{after}`")


def _beside(document: Path, suffix: str) -> Path:
    return document.parent / "lab" / f"{document.stem}.{suffix}"
