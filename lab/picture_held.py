"""A picture: how many connections each pattern keeps open on the server, over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lab.observation import Event, Figures, Held
from lab.svg import Colour, Picture

WIDTH = 860
COLUMNS = 2
PANEL_WIDTH, PANEL_HEIGHT = 360, 84
LEFT, TOP = 46, 96
ACROSS, DOWN = 410, 152

Point = tuple[float, float]


def draw(figures: Figures) -> str:
    """One small chart for each pattern, all on the same scales."""
    lines = -(-len(figures.held) // COLUMNS)
    height = TOP + lines * DOWN + 6
    title = "Connections that a function keeps open on the server"
    picture = Picture(WIDTH, height, title)
    picture.text(16, 30, title, size=18, bold=True)
    failing = sum(mark.text == "fails" for mark in figures.marks)
    picture.text(
        16,
        52,
        f"Counted while it is frozen between its runs (dots; crosses: {failing} that raise). "
        f"MySQL {figures.versions['MySQL']}, measured {figures.date}.",
        colour="faint",
    )
    most = max(max(series.connections) for series in figures.held)
    for number, series in enumerate(figures.held):
        corner = LEFT + number % COLUMNS * ACROSS, TOP + number // COLUMNS * DOWN
        _panel(picture, corner, series, figures.marks, most)
    return picture.svg()


def _panel(picture: Picture, corner: Point, series: Held, marks: Sequence[Event], most: int) -> None:
    x, y = corner
    end = marks[-1].seconds

    def at(seconds: float) -> float:
        return x + seconds / end * PANEL_WIDTH

    def up(count: float) -> float:
        return y + PANEL_HEIGHT - count / most * (PANEL_HEIGHT - 8)

    held = max(series.connections)
    colour: Colour = "bad" if held else "good"
    picture.text(x, y - 8, series.pattern, bold=True)
    picture.text(
        x + PANEL_WIDTH,
        y - 8,
        f"holds {'up to ' * (held > 1)}{held} while frozen" if held else "holds nothing",
        colour=colour,
        anchor="end",
    )
    picture.box(x, y, PANEL_WIDTH, PANEL_HEIGHT, colour="panel")
    for count in (0, most // 2, most):
        picture.line([(x, up(count)), (x + PANEL_WIDTH, up(count))], width=0.6)
        picture.text(x - 8, up(count) + 4, str(count), size=11, colour="faint", anchor="end")
    picture.line(_steps(series, end, at, up), colour=colour, width=2)
    for mark in marks[:-1]:
        draw_mark = picture.cross if mark.text == "fails" else picture.dot
        draw_mark(at(mark.seconds), y + PANEL_HEIGHT + 11, colour="faint", radius=2.8)
    for seconds in range(0, int(end) + 1, 10):
        picture.text(at(seconds), y + PANEL_HEIGHT + 30, f"{seconds} s", size=11, colour="faint", anchor="middle")


def _steps(series: Held, end: float, at: Callable[[float], float], up: Callable[[float], float]) -> list[Point]:
    points: list[Point] = [(at(0), up(0))]
    for seconds, count in zip(series.seconds, series.connections, strict=True):
        points += [(at(seconds), points[-1][1]), (at(seconds), up(count))]
    return [*points, (at(end), points[-1][1])]
