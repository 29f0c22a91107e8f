"""A small writer of SVG: text, lines and shapes in colours for light and for dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal

Colour = Literal["paper", "ink", "faint", "line", "panel", "frozen", "bad", "good"]

LIGHT = {
    "paper": "#ffffff",
    "ink": "#1f2328",
    "faint": "#59636e",
    "line": "#c8d1da",
    "panel": "#f3f5f7",
    "frozen": "#c8e1f5",
}
DARK = {
    "paper": "#0d1117",
    "ink": "#e6edf3",
    "faint": "#9198a1",
    "line": "#3d444d",
    "panel": "#161b22",
    "frozen": "#1f3a56",
}
# To be told apart by those who do not see red and green.
LIGHT |= {"bad": "#bc4c00", "good": "#0969da"}
DARK |= {"bad": "#f0883e", "good": "#58a6ff"}
FONT = "ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"


@dataclass
class Picture:
    """A picture of a fixed size, in pixels; the origin is at the top left."""

    width: int
    height: int
    title: str
    """For readers who do not see it."""
    _elements: list[str] = field(default_factory=list)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: int = 13,
        colour: Colour = "ink",
        anchor: Literal["start", "middle", "end"] = "start",
        bold: bool = False,
    ) -> None:
        """One line; `y` is its base line."""
        weight = ' font-weight="600"' if bold else ""
        self._add(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"{weight} class="fill-{colour}">'
            f"{escape(text)}</text>"
        )

    def line(
        self, points: Sequence[tuple[float, float]], *, colour: Colour = "line", width: float = 1, dashed: bool = False
    ) -> None:
        """From point to point."""
        dashes = ' stroke-dasharray="4 3"' if dashed else ""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._add(
            f'<polyline points="{path}" fill="none" stroke-width="{width:g}"{dashes}'
            f' stroke-linejoin="round" class="stroke-{colour}"/>'
        )

    def box(self, x: float, y: float, width: float, height: float, *, colour: Colour, opacity: float = 1) -> None:
        """A filled rectangle."""
        self._add(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2" opacity="{opacity:g}"'
            f' class="fill-{colour}"/>'
        )

    def dot(self, x: float, y: float, *, colour: Colour, radius: float = 4) -> None:
        """A filled circle."""
        self._add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" class="fill-{colour}"/>')

    def cross(self, x: float, y: float, *, colour: Colour, radius: float = 4) -> None:
        """Two strokes."""
        for slope in (1, -1):
            ends = [(x - radius, y - slope * radius), (x + radius, y + slope * radius)]
            self.line(ends, colour=colour, width=1.6)

    def svg(self) -> str:
        """The file."""
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}"'
                f' width="{self.width}" height="{self.height}" role="img" font-family="{FONT}">',
                f"<title>{escape(self.title)}</title>",
                f"<style>{_rules(LIGHT)}@media (prefers-color-scheme: dark){{{_rules(DARK)}}}</style>",
                f'<rect width="{self.width}" height="{self.height}" class="fill-paper"/>',
                *self._elements,
                "</svg>\n",
            ]
        )

    def _add(self, element: str) -> None:
        self._elements.append(element)


def _rules(colours: dict[str, str]) -> str:
    return "".join(f".fill-{name}{{fill:{value}}}.stroke-{name}{{stroke:{value}}}" for name, value in colours.items())
