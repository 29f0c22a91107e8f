"""The picture as SVG, which follows the reader's light or dark scheme."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from documents.picture.arrows import Architecture
from documents.picture.boxes import Box
from documents.picture.differences import differences
from documents.picture.layout import (
    FLOW_LOG,
    LETTER,
    LINE,
    STACKS,
    WIDTH,
    Rect,
    heading,
    layout,
    wrapped,
)
from documents.picture.routes import Route, routes

STYLE = """
svg { font: 12px system-ui, -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif }
.paper { fill: #ffffff } text { fill: #1f2328 } .faint { fill: #59636e }
.title { font-weight: 600; font-size: 13px } .large { font-weight: 600; font-size: 16px }
.label { fill: #424a53; font-size: 11.5px }
.box { fill: #ffffff; stroke: #8c959f } .stack { fill: #f6f8fa; stroke: #8c959f }
.frame { fill: none; stroke: #8c959f; stroke-dasharray: 4 3 }
.Jobs { fill: #fff5e8; stroke: #f0b46c } .Database { fill: #eaf2ff; stroke: #8db4ee }
.vpc { fill: #2da160; fill-opacity: 0.12; stroke: #2da160; stroke-width: 1.5 } .chip { fill: #ffffff; stroke: #2da160 }
.arrow { fill: none; stroke: #424a53; stroke-width: 1.4 } .head { fill: #424a53 } .rule { stroke: #d1d9e0 }
@media (prefers-color-scheme: dark) {
  .paper { fill: #0d1117 } text { fill: #f0f6fc } .faint { fill: #9198a1 } .label { fill: #d1d7e0 }
  .box { fill: #161b22; stroke: #656c76 } .stack { fill: #151b23; stroke: #656c76 } .frame { stroke: #7d8590 }
  .Jobs { fill: #2a1f10; stroke: #8a5a1c } .Database { fill: #0f2038; stroke: #2f5f9e }
  .vpc { fill: #3fb950; stroke: #3fb950 } .chip { fill: #161b22; stroke: #3fb950 }
  .arrow { stroke: #b7bdc8 } .head { fill: #b7bdc8 } .rule { stroke: #3d444d }
}
"""


def svg(environment: Architecture, others: Sequence[Architecture] = ()) -> str:
    """The picture of `environment`, and below it what it and `others`, in their order, differ in."""
    places = layout(environment)
    root = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img"})
    ET.SubElement(root, "title").text = f"What the environment {environment.name} deploys"
    ET.SubElement(root, "style").text = STYLE
    paper = _rect(root, Rect(x=0, y=0, width=WIDTH, height=0), "paper", 8)
    _text(root, 16, 30, f"The environment {environment.name}", "large")
    for stack, rect in places.stacks.items():
        _rect(root, rect, f"stack {stack}" if stack in STACKS else "stack", 8)
        _named(root, environment, stack, rect)
    for box, rect in places.boxes.items():
        _box(root, box, rect, plain=box in places.elsewhere)
        if box.kind == "vpc" and box not in places.elsewhere:
            _named(root, environment, box.stack, rect, f": {box.title}, {', '.join(box.lines)}")
    for title, rect in places.frames.items():
        _rect(root, rect, "frame", 6)
        _text(root, rect.x + 10, rect.y + 18, title, "faint")
    for route in routes(environment, places):
        _route(root, route)
    height = places.bottom + 20
    if others:
        height = _table(root, places.bottom + 40, [each.name for each in others], differences(others))
    root.attrib |= {"width": f"{WIDTH}", "height": f"{height:g}", "viewBox": f"0 0 {WIDTH} {height:g}"}
    paper.set("height", f"{height:g}")
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _named(root: ET.Element, environment: Architecture, stack: str, rect: Rect, more: str = "") -> None:
    """A stack's name and size, in the upper corners of `rect`."""
    _text(root, rect.x + 14, rect.y + 20, f"Stack {environment.name}-{stack}{more}", "title")
    _text(root, rect.right - 14, rect.y + 20, f"{environment.stacks[stack]} resources", "faint", anchor="end")


def _box(root: ET.Element, box: Box, rect: Rect, *, plain: bool) -> None:
    match "" if plain else box.kind:
        case "vpc":
            _rect(root, rect, "vpc", 10)
        case "subnet":
            _rect(root, rect, "chip", 12)
            _text(root, rect.center, rect.y + 16, box.title, "", anchor="middle")
        case "flow logs":
            _rect(root, rect, "chip", 12)
            _text(root, rect.center, rect.y + 16, FLOW_LOG + box.lines[-1], "", anchor="middle")
        case "database":
            _cylinder(root, rect)
            _lines(root, box, rect, rect.y + 42)
        case _:
            _rect(root, rect, "box", 6)
            _lines(root, box, rect, rect.y + 20)


def _lines(root: ET.Element, box: Box, rect: Rect, y: float) -> None:
    _text(root, rect.x + 12, y, heading(box, rect.width), "title")
    for line in wrapped(box, rect.width):
        y += LINE
        _text(root, rect.x + 12, y, line, "faint")


def _cylinder(root: ET.Element, rect: Rect) -> None:
    upper, lower = rect.y + 11, rect.bottom - 11
    arc = f"A{rect.width / 2:g} 11 0 0"
    side = f"M{rect.x:g} {upper:g} {arc} 1 {rect.right:g} {upper:g} V{lower:g} {arc} 1 {rect.x:g} {lower:g} Z"
    rim = f"M{rect.x:g} {upper:g} {arc} 0 {rect.right:g} {upper:g}"
    for line in (side, rim):
        ET.SubElement(root, "path", {"class": "box", "d": line})


def _route(root: ET.Element, route: Route) -> None:
    points = " L".join(f"{x:g} {y:g}" for x, y in route.points)
    ET.SubElement(root, "path", {"class": "arrow", "d": f"M{points}"})
    (x, y), (before_x, before_y) = route.points[-1], route.points[-2]
    along, across = _direction(x - before_x), _direction(y - before_y)
    base_x, base_y = x - 8 * along, y - 8 * across
    corners = ((x, y), (base_x + 4 * across, base_y + 4 * along), (base_x - 4 * across, base_y - 4 * along))
    ET.SubElement(root, "polygon", {"class": "head", "points": " ".join(f"{a:g},{b:g}" for a, b in corners)})
    above, _, below = route.label.partition(", ")
    anchor = "start" if across else "middle"
    for text, lower in ((above, 0), (below, 17)):
        if text:
            _text(root, route.at[0], route.at[1] + lower, text, "label", anchor=anchor)


def _direction(length: float) -> int:
    return (length > 0) - (length < 0)


def _table(root: ET.Element, y: float, names: Sequence[str], table: Mapping[str, Sequence[str]]) -> float:
    """What differs; where it ends."""
    left, first = 16, 130
    width = (WIDTH - first - left) / len(names)
    _text(root, left, y, "What differs", "title")
    for column, name in enumerate(names):
        _text(root, first + column * width, y, name, "title")
    for label, cells in table.items():
        y += 10
        ET.SubElement(root, "path", {"class": "rule", "d": f"M{left} {y:g} H{WIDTH - left}"})
        _text(root, left, y + 18, label, "faint")
        parts = [textwrap.wrap(cell, max(8, int((width - 16) / LETTER))) for cell in cells]
        for column, lines in enumerate(parts):
            for number, line in enumerate(lines):
                _text(root, first + column * width, y + 18 + number * LINE, line, "")
        y += 8 + LINE * max(len(lines) for lines in parts)
    return y + 20


def _rect(root: ET.Element, rect: Rect, style: str, radius: float) -> ET.Element:
    place = {"x": rect.x, "y": rect.y, "width": rect.width, "height": rect.height, "rx": radius}
    return ET.SubElement(root, "rect", {"class": style, **{key: f"{value:g}" for key, value in place.items()}})


def _text(root: ET.Element, x: float, y: float, text: str, style: str, *, anchor: str = "start") -> None:
    place = {"x": f"{x:g}", "y": f"{y:g}"} | ({"class": style} if style else {})
    ET.SubElement(root, "text", place | ({} if anchor == "start" else {"text-anchor": anchor})).text = text
