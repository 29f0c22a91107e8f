"""The table of a game day: on the terminal, and in docs/gameday.md, where each ground has its own part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from gameday.day import DEPLOYED, DESTROYED, DESTROYED_DONE
from gameday.exercise import NOT_RUN, Exercise, Result
from gameday.ground import AWS, LOCAL
from settings.project import ROOT

PAGE = ROOT / "docs" / "gameday.md"
HEADINGS = {AWS: "## On AWS", LOCAL: "## Here, on the local AWS"}
NOT_YET = "not yet run on AWS"

INTRODUCTION = """\
# The game day

`make gameday ENV=dev` takes an environment through every bad day that can be arranged, and shows what came of it. It
works in an environment of its own, made from the settings in `environments/dev.toml` and called `gamedaydev`, with
jobs and a migration of its own: no data and no job of yours is touched, and whatever would protect data there is off,
so that nothing has to be kept. It says first what it will do, how long that takes and what it costs, and asks. Ctrl-C
ends it at any point: what the exercise at work has done is undone, then everything is removed, and AWS is asked what is
left. Should it end without that (credentials that expire, a machine that is turned off), the next game day begins with
what is left.

```sh
# needs AWS: an account that `make bootstrap ENV=dev` has prepared, and credentials that may do everything in it
make gameday ENV=dev
```

```sh
# runs here
make gameday ENV=local
```

The second is the same script with the same calls, on the local AWS and a MySQL server; `make test` runs it, too. What
the emulator lacks is replaced ([`gameday/local_ground.py`](../gameday/local_ground.py)): the schedule's deliveries, the
restart of the server, the rotation of the master's password. What it can't show at all is “only on AWS”. Each run
writes its own part of this page.
"""


def write(page: Path, ground: str, results: Sequence[Result], *, exercises: Iterable[Exercise], where: str) -> None:
    """Write the part of `ground` into `page`, which may be new, and keep the other's.

    `where` says where it ran, for the line above the table.
    """
    parts = _parts(page) or {AWS: not_yet(exercises)}
    caption = f"{date.today():%-d %B %Y}, {where}."  # noqa: DTZ011 (as the reader counts days)
    parts[ground] = f"{caption}\n\n{_markdown(results)}"
    text = [INTRODUCTION, *(f"{heading}\n\n{parts[each]}" for each, heading in HEADINGS.items() if each in parts)]
    page.write_text("\n".join(text))


def not_yet(exercises: Iterable[Exercise]) -> str:
    """Return the part of AWS before anybody has run it there."""
    rows = [
        *(Result(title=each.title, done=each.done, outcome=NOT_RUN, seen=NOT_YET) for each in (DEPLOYED, *exercises)),
        Result(title=DESTROYED, done=DESTROYED_DONE, outcome=NOT_RUN, seen=NOT_YET),
    ]
    return f"Not yet run.\n\n{_markdown(rows)}"


def table(results: Iterable[Result], *, title: str) -> Table:
    """Return the results for a terminal."""
    made = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    made.add_column("Exercise")
    made.add_column("What was seen", overflow="fold")
    made.add_column("s", justify="right")
    made.add_column("Result", no_wrap=True)
    for each in results:
        made.add_row(each.title, each.seen, _seconds(each), each.outcome, style=None if each.good else "red")
    return made


def _markdown(results: Iterable[Result]) -> str:
    lines = ["| exercise | what was done | what was seen | seconds | result |", "|---|---|---|---:|---|"]
    for each in results:
        cells = (each.title, each.done, each.seen, _seconds(each), each.outcome)
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """In one line, and no mark-up: an error may say anything."""
    return re.sub(r"([|<`*_\[])", r"\\\1", " ".join(text.split()))


def _seconds(result: Result) -> str:
    return "" if result.seconds is None else f"{result.seconds:.0f}"


def _parts(page: Path) -> dict[str, str]:
    if not page.exists():
        return {}
    pieces = re.split(r"^(## .*)\n\n", page.read_text(), flags=re.MULTILINE)
    found = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    return {ground: f"{found[heading].rstrip()}\n" for ground, heading in HEADINGS.items() if heading in found}
