"""The arrows of the picture: from which edge to which, by what they connect, and where their label stands."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.snapshots.architecture.arrows import Architecture, Arrow
from tests.snapshots.architecture.boxes import Box
from tests.snapshots.architecture.layout import GAP, SCHEDULER, Layout, Rect
from tests.snapshots.architecture.references import ArchitectureError

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One arrow as it is drawn."""

    points: Sequence[Point]
    label: str
    at: Point
    """The middle of the label's baseline."""


def routes(environment: Architecture, layout: Layout) -> Iterator[Route]:
    """The drawn arrows; those of several boxes in a frame that say the same are drawn once, from the frame.

    Raises:
        ArchitectureError: no way is known between two kinds of boxes.
    """
    together: dict[tuple[Rect, Rect, str], list[Arrow]] = defaultdict(list)
    for arrow in environment.arrows:
        pair = arrow.source.kind, arrow.target.kind
        if pair in INSIDE:
            continue
        if pair not in WAYS:
            raise ArchitectureError(f"{arrow.source.title} → {arrow.target.title}: teach {__name__} the way")
        start = layout.boxes[arrow.source] if pair in ALONE else _around(arrow, environment, layout)
        together[start, layout.boxes[arrow.target], arrow.label].append(arrow)
    for (start, end, label), arrows in together.items():
        first = arrows[0]
        every = len(_with(first.source, environment)) if (first.source.kind, first.target.kind) not in ALONE else 1
        points, at = WAYS[first.source.kind, first.target.kind](start, end)
        yield Route(points=points, label=f"{label} ({len(arrows)} of {every})" if len(arrows) < every else label, at=at)


def _with(box: Box, environment: Architecture) -> Sequence[Box]:
    """Those that share the box's frame."""
    if box.kind == "schedule":
        return environment.of("schedule")
    return next((boxes for boxes in environment.frames.values() if box in boxes), (box,))


def _around(arrow: Arrow, environment: Architecture, layout: Layout) -> Rect:
    """The frame that the arrow's source is in, if it is in one; to the logs below, the lowest frame stands for all."""
    functions = {title: frame for title, frame in layout.frames.items() if title in environment.frames}
    if (arrow.source.kind, arrow.target.kind) == ("function", "job logs"):
        return max(functions.values(), key=lambda frame: frame.bottom)
    if arrow.source.kind == "schedule":
        return layout.frames[SCHEDULER]
    titles = [title for title, boxes in environment.frames.items() if arrow.source in boxes]
    return layout.frames[titles[0]] if titles else layout.boxes[arrow.source]


def _right(source: Rect, target: Rect) -> tuple[list[Point], Point]:
    """Straight from left to right, at the middle of the smaller one."""
    y = min(source, target, key=lambda each: each.height).middle
    return [(source.right, y), (target.x, y)], ((source.right + target.x) / 2, y - 5)


def _left(source: Rect, target: Rect) -> tuple[list[Point], Point]:
    return [(source.x, target.middle), (target.right, target.middle)], (
        (source.x + target.right) / 2,
        target.middle - 5,
    )


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
    x = source.x - 36
    corners = [
        (source.x, source.bottom - 12),
        (x, source.bottom - 12),
        (x, target.middle),
        (target.right, target.middle),
    ]
    return corners, (x + 24, target.middle + 4)


def _events(source: Rect, target: Rect) -> tuple[list[Point], Point]:
    """Around the database's logs."""
    x, y = source.center - 50, source.bottom + 14 + GAP / 2
    return [(x, source.bottom), (x, y), (target.center, y), (target.center, target.y)], (
        target.center + 6,
        target.y - 12,
    )


Way = Callable[[Rect, Rect], tuple[list[Point], Point]]
WAYS: dict[tuple[str, str], Way] = {
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
INSIDE = {("vpc", "flow logs")}
"""Drawn one in the other."""
ALONE = {("schedule", "function")}
"""Drawn one by one, and not from the frame."""
