"""A picture: what many environments at once wait for, with a server that takes them all and with one that does not."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.curves import Curve, Growth
from benchmarks.figures import rounded
from benchmarks.together import ENOUGH, FEW, MEASURES
from lab.svg import Colour, Picture

WIDTH = 860
PANEL_WIDTH, PANEL_HEIGHT = 340, 190
LEFT, TOP, ACROSS = 60, 110, 420
COLOURS: tuple[Colour, Colour] = ("good", "bad")


def draw(growth: Growth) -> str:
    """Two charts side by side, each with a line for either server."""
    curves = [curve for curve in growth.curves if MEASURES[0] in curve.measures]
    title = "Environments that run at the same instant"
    picture = Picture(WIDTH, TOP + PANEL_HEIGHT + 60, title)
    picture.text(16, 30, title, size=18, bold=True)
    picture.text(
        16,
        52,
        f"One server that takes {ENOUGH} connections (blue), or {FEW} (orange: the rest is refused, and retries).",
        colour="faint",
    )
    for column, measure in enumerate(MEASURES):
        _panel(picture, LEFT + column * ACROSS, measure, curves)
    return picture.svg()


def _panel(picture: Picture, x: float, measure: str, curves: Sequence[Curve]) -> None:
    sizes = curves[0].sizes
    most = max(max(curve.measures[measure]) for curve in curves) or 1.0

    def at(size: float) -> float:
        return x + size / sizes[-1] * PANEL_WIDTH

    def up(value: float) -> float:
        return TOP + PANEL_HEIGHT - value / most * (PANEL_HEIGHT - 10)

    picture.text(x, TOP - 14, measure, bold=True)
    picture.box(x, TOP, PANEL_WIDTH, PANEL_HEIGHT, colour="panel")
    for value in (0, most / 2, most):
        picture.line([(x, up(value)), (x + PANEL_WIDTH, up(value))], width=0.6)
        picture.text(x - 8, up(value) + 4, rounded(value), size=11, colour="faint", anchor="end")
    for size in sizes:
        picture.text(at(size), TOP + PANEL_HEIGHT + 18, str(size), size=11, colour="faint", anchor="middle")
    for curve, colour in zip(curves, COLOURS, strict=True):
        points = [(at(size), up(value)) for size, value in zip(sizes, curve.measures[measure], strict=True)]
        picture.line(points, colour=colour, width=2)
        for point in points:
            picture.dot(*point, colour=colour, radius=3)
