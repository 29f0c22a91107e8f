"""The arrows of the picture: from which edge to which, by what they connect, and where their label stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from documents.picture.arrows import Architecture, Arrow
from documents.picture.layout import GAP, Layout, Rect

Point = tuple[float, float]
Way = Callable[[Rect, Rect], tuple[list[Point], Point]]
"""The corners of an arrow, and where its label stands: the middle of its baseline, or its start where the arrow's end
is vertical."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """One arrow as it is drawn."""

    points: Sequence[Point]
    label: str
    at: Point


def routes(environment: Architecture, layout: Layout) -> Iterator[Route]:
    """The drawn arrows; those of several boxes in a frame that say the same are drawn once, from the frame."""
    together: dict[tuple[Rect, Rect, str, Way], list[Arrow]] = defaultdict(list)
    for arrow in environment.arrows:
        placed = not {arrow.source, arrow.target} & layout.elsewhere
        way = WAYS.get(_kinds(arrow), _straight) if placed else _straight
        together[_start(arrow, layout), layout.boxes[arrow.target], arrow.label, way].append(arrow)
    for (start, end, label, way), arrows in together.items():
        points, place = way(start, end)
        every = sum(1 for frame in layout.framed.values() if frame == start)
        share = f" ({len(arrows)} of {every})" if len(arrows) < every else ""
        yield Route(points=points, label=f"{label}{share}", at=place)


def _kinds(arrow: Arrow) -> tuple[str, str]:
    return arrow.source.kind, arrow.target.kind


def _start(arrow: Arrow, layout: Layout) -> Rect:
    """The frame that the arrow's source is in, if it is in one; to the logs below, the lowest frame stands for all."""
    if arrow.source not in layout.framed or _kinds(arrow) in ALONE:
        return layout.boxes[arrow.source]
    if _kinds(arrow) == ("function", "job logs"):
        frames = (frame for box, frame in layout.framed.items() if box.kind == "function")
        return max(frames, key=lambda frame: frame.bottom)
    return layout.framed[arrow.source]


def _straight(source: Rect, target: Rect) -> tuple[list[Point], Point]:
    """From edge to edge, whatever is between."""
    down = source.middle <= target.middle
    start = (source.center, source.bottom if down else source.y)
    end = (target.center, target.y if down else target.bottom)
    return [start, end], ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)


def _right(source: Rect, target: Rect) -> tuple[list[Point], Point]:
    """At the middle of the smaller one."""
    y = min(source, target, key=lambda each: each.height).middle
    return [(source.right, y), (target.x, y)], ((source.right + target.x) / 2, y - 5)


def _left(source: Rect, target: Rect) -> tuple[list[Point], Point]:
    y = target.middle
    return [(source.x, y), (target.right, y)], ((source.x + target.right) / 2, y - 5)


def _down(source: Rect, target: Rect) -> tuple[list[Point], Point]:
    return [(target.center, source.bottom), (target.center, target.y)], (target.center + 6, target.y - 12)


def _from_center(source: Rect, target: Rect) -> tuple[list[Point], Point]:
    return [(source.center, source.bottom), (source.center, target.y)], (source.center + 6, target.y - 12)


def _up(source: Rect, target: Rect) -> tuple[list[Point], Point]:
    return [(target.center, source.y), (target.center, target.bottom)], (target.center + 6, target.bottom + 14)


def _to_database(source: Rect, target: Rect) -> tuple[list[Point], Point]:
    """Below the endpoint, which is beside the frame's upper part, if the frame is the first."""
    y = source.bottom - 14 if source.y == target.y else source.middle
    return [(source.right, y), (target.x, y)], ((source.right + target.x) / 2, y - 5)


def _to_endpoint(source: Rect, target: Rect) -> tuple[list[Point], Point]:
    """From the frame beside it; from one below, up."""
    if source.y == target.y:
        return _right(Rect(x=source.x, y=target.y, width=source.width, height=target.height), target)
    x, y = target.x - 26, target.bottom - 10
    return [(source.right, source.y + 24), (x, source.y + 24), (x, y), (target.x, y)], (x - 4, source.y + 38)


def _failed(source: Rect, target: Rect) -> tuple[list[Point], Point]:
    """Between the schedules and the VPC."""
    x, y = source.x - 36, source.bottom - 12
    corners = [(source.x, y), (x, y), (x, target.middle), (target.right, target.middle)]
    return corners, (x + 24, target.middle + 4)


def _events(source: Rect, target: Rect) -> tuple[list[Point], Point]:
    """Around the database's logs."""
    x, y = source.center - 50, source.bottom + 14 + GAP / 2
    corners = [(x, source.bottom), (x, y), (target.center, y), (target.center, target.y)]
    return corners, (target.center + 6, target.y - 12)


WAYS: Mapping[tuple[str, str], Way] = {
    ("schedule", "function"): _right,
    ("trigger", "function"): _right,
    ("schedule", "queues"): _down,
    ("function", "queues"): _failed,
    ("function", "job logs"): _down,
    ("function", "database"): _to_database,
    ("function", "proxy"): _right,
    ("function", "endpoint"): _to_endpoint,
    ("proxy", "database"): _right,
    ("endpoint", "secrets"): _up,
    ("database", "database logs"): _from_center,
    ("database", "topic"): _events,
    ("job logs", "alarms"): _down,
    ("alarms", "dashboard"): _left,
    ("alarms", "topic"): _right,
    ("topic", "subscriber"): _right,
}
"""Between any other two, the way is straight."""
ALONE = {("schedule", "function"), ("trigger", "function")}
"""Drawn one by one, and not from the frame."""
