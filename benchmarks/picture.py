"""A picture: an empty warm run beside the others, and where its time goes."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.empty_run import DISTANT, LOOPBACK, OURS
from benchmarks.figures import Figures, Line, Piece, rounded
from lab.svg import Colour, Picture

WIDTH = 860
LEFT, BAR_WIDTH = 236, 250
ACROSS = 320
ROW, BAR = 26, 16
TOP = 96
LONGEST = 1.25
"""Bars end at so many times the longest that is not an outlier; the figure beside it says the rest."""


def draw(figures: Figures) -> str:
    """Bars: on the left with no distance to the server, on the right with 1 ms per round trip."""
    near, far = (next(line for line in figures.lines if line.subject == subject) for subject in (LOOPBACK, DISTANT))
    names = sorted([OURS, *far.others], key=lambda name: _values(far)[name])
    height = TOP + ROW * (len(names) + len(figures.pieces)) + 80
    title = "An empty warm run, in milliseconds"
    picture = Picture(WIDTH, height, title)
    picture.text(16, 30, title, size=18, bold=True)
    picture.text(
        16,
        52,
        f"Connect over TLS, read the ledger's last row, insert the next, commit, disconnect. Medians, {figures.date}.",
        colour="faint",
    )
    for column, (line, heading) in enumerate(((near, "beside the server"), (far, "1 ms per round trip away"))):
        x = LEFT + column * ACROSS
        picture.text(x, TOP - 14, heading, bold=True)
        _bars(picture, x, names, line)
        if line.bar is not None:
            at = x + line.bar / _scale(line) * BAR_WIDTH
            picture.line([(at, TOP - 8), (at, TOP + ROW * len(names))], dashed=True, colour="ink")
            picture.text(at, TOP + ROW * len(names) + 12, f"must reach {line.bar:g}", size=11, anchor="middle")
    for row, name in enumerate(names):
        picture.text(LEFT - 12, TOP + ROW * row + 13, name, anchor="end", bold=name == OURS)
    below = TOP + ROW * len(names) + 66
    picture.text(16, below - 22, "Where ours goes", bold=True)
    _waterfall(picture, below, figures.pieces)
    return picture.svg()


def _values(line: Line) -> dict[str, float]:
    values = {OURS: line.ours, **line.others}
    return {name: value for name, value in values.items() if value is not None}


def _scale(line: Line) -> float:
    """What the longest bar stands for: half of the contenders are never cut off."""
    values = sorted(_values(line).values())
    return LONGEST * values[-2]


def _bars(picture: Picture, x: float, names: Sequence[str], line: Line) -> None:
    values, scale = _values(line), _scale(line)
    for row, name in enumerate(names):
        if name not in values:
            continue
        y = TOP + ROW * row
        width = min(1.0, values[name] / scale) * BAR_WIDTH
        picture.box(x, y, width, BAR, colour="good" if name == OURS else "frozen")
        if width > BAR_WIDTH * 0.85:
            colour: Colour = "paper" if name == OURS else "ink"
            picture.text(x + width - 6, y + 12.5, rounded(values[name]), size=12, anchor="end", colour=colour)
        else:
            picture.text(x + width + 6, y + 12.5, rounded(values[name]), size=12)


def _waterfall(picture: Picture, top: float, pieces: Sequence[Piece]) -> None:
    for column, values in enumerate(([piece.loopback for piece in pieces], [piece.distant for piece in pieces])):
        scale = sum(values) * 1.15 or 1
        begun = 0.0
        for row, value in enumerate(values):
            x, y = LEFT + column * ACROSS + begun / scale * BAR_WIDTH, top + ROW * row
            width = max(1.0, value / scale * BAR_WIDTH)
            picture.box(x, y, width, BAR, colour="good")
            picture.text(x + width + 6, y + 12.5, rounded(value), size=12)
            begun += value
    for row, piece in enumerate(pieces):
        picture.text(LEFT - 12, top + ROW * row + 13, piece.name, anchor="end")
