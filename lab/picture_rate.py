"""A picture: how many environments the incident killed, by the network's round trip and the version of Node.js."""

from __future__ import annotations

from itertools import groupby

from lab.observation import Figures, Rate
from lab.svg import Picture

WIDTH = 860
LEFT, TOP = 150, 118
COLUMN, ROW = 134, 56
DOT, PER_LINE = 17, 4
"""How far apart the dots of one group are, and how many share a line."""


def draw(figures: Figures) -> str:
    """A dot for each environment, full if it died; a row for each version, a column for each round trip."""
    rows = [(node, list(some)) for node, some in groupby(figures.rates, lambda rate: rate.node)]
    height = TOP + len(rows) * ROW + 30
    title = "How often end() kills the next run"
    picture = Picture(WIDTH, height, title)
    picture.text(16, 30, title, size=18, bold=True)
    picture.text(
        16,
        52,
        "A dot: an environment, frozen for 35 s or longer after its fifth run; none chosen. "
        f"mysqljs {figures.versions['mysql']}, measured {figures.date}.",
        colour="faint",
    )
    picture.text(16, TOP - 22, "round trip", colour="faint")
    for column, rate in enumerate(rows[0][1]):
        picture.text(LEFT + column * COLUMN, TOP - 22, f"{rate.round_trip_seconds * 1000:g} ms", bold=True)
    for number, (node, rates) in enumerate(rows):
        y = TOP + number * ROW
        picture.line([(16, y - 12), (WIDTH - 16, y - 12)], width=0.6)
        picture.text(16, y + 16, f"Node.js {node}")
        for column, rate in enumerate(rates):
            _group(picture, LEFT + column * COLUMN, y, rate)
    picture.text(16, height - 14, "Full: died of the forgotten timer. Hollow: lived.", colour="faint")
    return picture.svg()


def _group(picture: Picture, x: float, y: float, rate: Rate) -> None:
    for number in range(rate.environments):
        centre = x + 6 + number % PER_LINE * DOT, y + 2 + number // PER_LINE * DOT
        died = number < rate.died
        picture.dot(*centre, colour="bad" if died else "line", radius=6)
        if not died:
            picture.dot(*centre, colour="paper", radius=4.6)
    across = x + PER_LINE * DOT + 6
    picture.text(across, y + 16, f"{rate.died} of {rate.environments}", size=12, colour="bad" if rate.died else "faint")
