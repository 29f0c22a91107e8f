"""Where the boxes and frames of the picture stand: columns by what something does, a row for each job."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from tests.snapshots.architecture.arrows import Architecture
from tests.snapshots.architecture.boxes import Box

# All lengths are in pixels.
WIDTH = 1140
LINE = 15
LETTER = 6.3
"""The mean width of a letter, on the wide side: the reader's font is not known."""
BOLD = 8.6
"""The same of a title."""
MARGIN = 12
GAP = 36
TOP = 78
A, B, C, D = (36, 186), (290, 226), (640, 190), (900, 208)
"""Left edge and width of the columns: what starts runs; what runs; what is between; the database."""
STACKS = {"Jobs": (12, 530), "Database": (558, 570)}
"""Left edge and width of the stacks. That of the network is drawn as its VPC."""
SCHEDULER = "EventBridge Scheduler"
STARTERS = ("schedule", "trigger")
FLOW_LOG = "flow log "
HEADER = 74
"""Of the VPC, above what is in it."""


@dataclass(frozen=True, kw_only=True)
class Rect:
    """Where something stands."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.y + self.height

    @property
    def center(self) -> float:
        """The middle, from left to right."""
        return self.x + self.width / 2

    @property
    def middle(self) -> float:
        """The middle, from top to bottom."""
        return self.y + self.height / 2


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where everything stands."""

    boxes: Mapping[Box, Rect]
    frames: Mapping[str, Rect]
    bottom: float


def heading(box: Box, width: float) -> str:
    """The box's title, as far as it fits into `width`."""
    room = int((width - 2 * MARGIN) / BOLD)
    return box.title if len(box.title) <= room else f"{box.title[: room - 1]}…"


def wrapped(box: Box, width: float) -> list[str]:
    """The lines below the box's title, as they fit into `width`."""
    return [part for line in box.lines for part in textwrap.wrap(line, int((width - 2 * MARGIN) / LETTER))]


def layout(environment: Architecture) -> Layout:
    """The places of one environment's boxes and frames."""
    places = _Places(environment)
    above = places.stand(["secrets"], C, TOP)
    inside = above + HEADER + (18 if above > TOP else 0)
    lowest = places.frames_from(inside)
    lowest = max(lowest, places.database(inside, lowest))
    for vpc in environment.of("vpc"):
        around = Rect(x=256, y=inside - HEADER, width=864, height=lowest + 14 - (inside - HEADER))
        places.boxes = {vpc: around} | places.boxes
        places.chips(around)
    row = lowest + 14 + GAP
    ends = [
        places.stand(["queues"], A, row),
        places.stand(["job logs"], B, row),
        places.stand(["database logs"], (770, 338), row),
    ]
    row = max(ends) + GAP
    ends = [
        places.stand(["dashboard"], A, row),
        places.stand(["alarms"], B, row),
        places.stand(["topic"], C, row),
        places.stand(["subscriber"], D, row),
    ]
    return Layout(boxes=places.boxes, frames=places.frames, bottom=max(ends) + 14)


class _Places:
    def __init__(self, environment: Architecture) -> None:
        self._environment = environment
        self.boxes: dict[Box, Rect] = {}
        self.frames: dict[str, Rect] = {}

    def stand(self, kinds: list[str], column: tuple[float, float], y: float) -> float:
        """Stack the boxes of some kinds in `column`, from `y` on; where they end."""
        x, width = column
        for kind in kinds:
            for box in self._environment.of(kind):
                height = 30 + LINE * len(wrapped(box, width))
                self.boxes[box] = Rect(x=x, y=y, width=width, height=height)
                y += height + 8
        return y - 8 if y > TOP else y

    def frames_from(self, y: float) -> float:
        """The functions in their frames, and beside each what starts it; where they end."""
        started = {arrow.target: arrow.source for arrow in self._environment.arrows if arrow.source.kind in STARTERS}
        scheduled = {each for each, starter in started.items() if starter.kind == "schedule"}
        for title, functions in sorted(self._environment.frames.items(), key=lambda each: set(each[1]) <= scheduled):
            top = y
            y += 26
            for function in functions:
                height = 30 + LINE * len(wrapped(function, B[1]))
                self.boxes[function] = Rect(x=B[0], y=y, width=B[1], height=height)
                if function in started:
                    self.boxes[started[function]] = Rect(x=A[0], y=y, width=A[1], height=height)
                y += height + 8
            y += 2
            self.frames[title] = Rect(x=B[0] - 10, y=top, width=B[1] + 20, height=y - top)
            if set(functions) <= scheduled:
                self.frames[SCHEDULER] = Rect(x=A[0] - 10, y=top, width=A[1] + 20, height=y - top)
            y += 16
        return y - 16

    def database(self, y: float, lowest: float) -> float:
        """The database beside all functions, and what leads to it between them; where it ends."""
        end = self.stand(["endpoint"], C, y)
        for box in self._environment.of("database"):
            needed = 62 + LINE * len(wrapped(box, D[1]))
            self.boxes[box] = Rect(x=D[0], y=y, width=D[1], height=max(needed, lowest - y))
            end = self.boxes[box].bottom
        for box in self._environment.of("proxy"):
            height = 30 + LINE * len(wrapped(box, C[1]))
            users = [arrow.source for arrow in self._environment.arrows if arrow.target == box]
            middle = sum(self.boxes[each].middle for each in users) / len(users) if users else lowest
            self.boxes[box] = Rect(x=C[0], y=middle - height / 2, width=C[1], height=height)
        return end

    def chips(self, vpc: Rect) -> None:
        """The subnets in a row, and the flow log at its end."""
        x, y = vpc.x + 24, vpc.y + 36
        for box in self._environment.of("subnet"):
            width = LETTER * len(box.title) + 16
            self.boxes[box] = Rect(x=x, y=y, width=width, height=24)
            x += width + 10
        for box in self._environment.of("flow logs"):
            width = LETTER * len(FLOW_LOG + box.lines[-1]) + 16
            self.boxes[box] = Rect(x=vpc.right - 12 - width, y=y, width=width, height=24)
