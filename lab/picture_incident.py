"""A picture: what happened to the original incident's connection, moment by moment, and to that of its cure."""

from __future__ import annotations

from lab.observation import Event, Figures, Timeline
from lab.svg import Picture

WIDTH = 860
COLUMN = 434
SPINE = 92
"""How far right in its column the line is that time runs down."""
TOP = 132
ROW = 44
PAUSE = 26
"""Of extra height where more than a second passes."""


def draw(figures: Figures) -> str:
    """The timelines, beside each other; time runs down, not to scale."""
    height = TOP + max(map(_height, figures.timelines)) + 34
    title = "Why end() kills the next run, and destroy() does not"
    picture = Picture(WIDTH, height, title)
    picture.text(16, 30, title, size=18, bold=True)
    picture.text(
        16,
        52,
        f"One environment each, frozen for 35 s or longer, round trip 2 ms. mysqljs {figures.versions['mysql']}, "
        f"Node.js {figures.versions['Node.js']}, measured {figures.date}.",
        colour="faint",
    )
    for number, timeline in enumerate(figures.timelines):
        _column(picture, number * COLUMN + 16, timeline)
    picture.text(
        16,
        height - 16,
        "After the thaw, Node.js runs the timers that are due before it looks at its sockets. Time is not to scale.",
        colour="faint",
    )
    return picture.svg()


def _column(picture: Picture, x: float, timeline: Timeline) -> None:
    picture.text(x, TOP - 40, timeline.pattern, size=15, bold=True)
    spine = x + SPINE
    rows = _rows(timeline)
    ends = [y for event, y in rows if event.text.startswith(("freezes", "thaws"))]
    picture.line([(spine, rows[0][1]), (spine, rows[-1][1])], width=2)
    if len(ends) == 2:
        picture.line([(spine, ends[0]), (spine, ends[1])], colour="frozen", width=12)
    for (event, y), (before, y_before) in zip(rows, [rows[0], *rows], strict=False):
        if event.seconds - before.seconds > 1:
            text = f"{event.seconds - before.seconds:.0f} s pass, frozen"
            picture.text(spine + 18, (y + y_before) / 2 + 12, text, size=12, colour="faint")
        timer = "timer" in event.text
        picture.dot(spine, y, colour="bad" if timer else "ink", radius=5)
        picture.text(spine - 16, y + 4, _time(event.seconds), size=12, colour="faint", anchor="end")
        picture.text(spine + 18, y - 3, event.actor, size=11, colour="faint")
        picture.text(spine + 18, y + 12, event.text, colour="bad" if timer else "ink")


def _rows(timeline: Timeline) -> list[tuple[Event, float]]:
    """Each event, and how far down it is."""
    y: float = TOP
    rows = []
    before = timeline.events[0]
    for event in timeline.events:
        if event.seconds - before.seconds > 1:
            y += PAUSE
        rows.append((event, y))
        y += ROW
        before = event
    return rows


def _height(timeline: Timeline) -> int:
    return round(_rows(timeline)[-1][1] - TOP) + ROW


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"
