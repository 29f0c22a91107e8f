"""Where the boxes and frames of the picture stand: columns by what something does, a row for each job."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from documents.picture.arrows import Architecture
from documents.picture.boxes import Box

# All lengths are in pixels.
WIDTH = 1140
LINE = 15
LETTER = 6.3
"""The mean width of a letter, on the wide side: the reader's font is not known."""
BOLD = 8.6
"""The same of a title."""
MARGIN = 12
SPACE = 8
"""Between two boxes of a column."""
GAP = 36
"""Between two rows."""
TOP = 78
Column = tuple[float, float]
"""Its left edge and its width."""
A, B, C, D = (36, 186), (290, 226), (640, 190), (900, 208)
"""What starts runs; what runs; what is between; the database."""
BETWEEN = (536, 344)
"""Below the functions and the database, where no arrow goes."""
STACKS: Mapping[str, Column] = {"Jobs": (12, 530), "Database": (558, 570)}
"""That of the network is drawn as its VPC, any other below these."""
ROWS: tuple[Mapping[str, Column], ...] = (
    {"queues": A, "job logs": B, "database logs": (770, 338)},
    {"dashboard": A, "alarms": B, "topic": C, "subscriber": D},
)
"""What stands below the VPC."""
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
    framed: Mapping[Box, Rect]
    """The frame that a box is in."""
    stacks: Mapping[str, Rect]
    elsewhere: frozenset[Box]
    """What found no place of its own."""
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
    above = places.stand(environment.of("secrets"), C, TOP)
    inside = (above + 18 if above > TOP else TOP) + HEADER
    lowest = places.database(inside, places.between(inside, places.runs(inside)))
    bottom = places.vpc(inside, lowest)
    for row in ROWS:
        bottom = max(places.stand(environment.of(kind), column, bottom + GAP) for kind, column in row.items())
    return places.laid_out(bottom)


class _Places:
    def __init__(self, environment: Architecture) -> None:
        self._environment = environment
        self._boxes: dict[Box, Rect] = {}
        self._frames: dict[str, Rect] = {}
        self._framed: dict[Box, Rect] = {}

    def stand(self, boxes: Iterable[Box], column: Column, y: float) -> float:
        """Stack `boxes` in `column`, from `y` on; where they end."""
        x, width = column
        end = y
        for box in boxes:
            self._boxes[box] = Rect(x=x, y=y, width=width, height=30 + LINE * len(wrapped(box, width)))
            end = self._boxes[box].bottom
            y = end + SPACE
        return end

    def runs(self, y: float) -> float:
        """The functions in their frames, and beside each what starts it; where they end."""
        starters = {arrow.target: arrow.source for arrow in self._environment.arrows if arrow.source.kind in STARTERS}
        kinds = {function: starter.kind for function, starter in starters.items()}
        frames = self._environment.frames.items()
        end = y
        for title, functions in sorted(frames, key=lambda each: any(kinds.get(box) == "schedule" for box in each[1])):
            end = self.stand(functions, B, y + 26)
            self._frame(title, functions, y, end, B)
            started = [(starters[each], self._boxes[each]) for each in functions if each in starters]
            for starter, beside in started:
                self._boxes[starter] = Rect(x=A[0], y=beside.y, width=A[1], height=beside.height)
            if scheduled := [each for each, _ in started if each.kind == "schedule"]:
                self._frame(SCHEDULER, scheduled, y, end, A)
            y = end + SPACE + 18
        return end + SPACE + 2

    def _frame(self, title: str, boxes: Iterable[Box], y: float, end: float, column: Column) -> None:
        x, width = column
        self._frames[title] = Rect(x=x - 10, y=y, width=width + 20, height=end + SPACE + 2 - y)
        self._framed |= dict.fromkeys(boxes, self._frames[title])

    def between(self, y: float, lowest: float) -> float:
        """What the functions reach the database through, and what else the network has; where all of it ends."""
        end = self.stand(self._environment.of("endpoint"), C, y)
        for box in self._environment.of("proxy")[:1]:
            users = [arrow.source for arrow in self._environment.arrows if arrow.target == box]
            middles = [self._boxes[each].middle for each in users if each in self._boxes]
            height = 30 + LINE * len(wrapped(box, C[1]))
            top = sum(middles) / len(middles) - height / 2 if middles else y
            end = self.stand([box], C, max(top, end + SPACE))
        lowest = max(lowest, end)
        vpcs = self._environment.of("vpc")
        others = [box for box in self._environment.of("also") if vpcs and box.stack == vpcs[0].stack]
        return self.stand(others, BETWEEN, lowest + SPACE) if others else lowest

    def database(self, y: float, lowest: float) -> float:
        """The database beside all of them; where it ends."""
        for box in self._environment.of("database")[:1]:
            lowest = max(lowest, y + 62 + LINE * len(wrapped(box, D[1])))
            self._boxes[box] = Rect(x=D[0], y=y, width=D[1], height=lowest - y)
        return lowest

    def vpc(self, inside: float, lowest: float) -> float:
        """The VPC around all that is in it; where it ends."""
        for vpc in self._environment.of("vpc")[:1]:
            around = Rect(x=256, y=inside - HEADER, width=864, height=lowest + 14 - (inside - HEADER))
            self._boxes = {vpc: around} | self._boxes  # drawn first, below the others
            self._chips(around)
        return lowest + 14

    def _chips(self, vpc: Rect) -> None:
        """The zones in a row, and the flow log at its end."""
        end = vpc.right - 12
        for box in self._environment.of("flow logs"):
            width = LETTER * len(FLOW_LOG + box.lines[-1]) + 16
            self._boxes[box] = Rect(x=end - width, y=vpc.y + 36, width=width, height=24)
            end -= width + 10
        x = vpc.x + 24
        for box in self._environment.of("subnet"):
            width = LETTER * len(box.title) + 16
            if x + width <= end:
                self._boxes[box] = Rect(x=x, y=vpc.y + 36, width=width, height=24)
                x += width + 10

    def laid_out(self, bottom: float) -> Layout:
        """All of it, with what found no place yet at the end of its stack, and stacks that have no column below."""
        elsewhere = [box for box in self._environment.boxes if box not in self._boxes]
        ends = [bottom]
        for stack, (x, width) in STACKS.items():
            if own := [box for box in elsewhere if box.stack == stack]:
                ends.append(self.stand(own, (x + 24, width - 48), bottom + SPACE))
        bottom = max(ends) + 14
        stacks = {
            stack: Rect(x=x, y=46, width=width, height=bottom - 46)
            for stack, (x, width) in STACKS.items()
            if stack in self._environment.stacks
        }
        for stack in dict.fromkeys(box.stack for box in elsewhere if box.stack not in STACKS):
            top = bottom + 16
            bottom = self.stand((box for box in elsewhere if box.stack == stack), (36, WIDTH - 72), top + 32) + 14
            stacks[stack] = Rect(x=12, y=top, width=WIDTH - 24, height=bottom - top)
        return Layout(
            boxes=self._boxes,
            frames=self._frames,
            framed=self._framed,
            stacks=stacks,
            elsewhere=frozenset(elsewhere),
            bottom=bottom,
        )
