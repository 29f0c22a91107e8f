"""The lab's pictures, as files."""

from __future__ import annotations

from pathlib import Path

from lab import picture_held, picture_incident, picture_rate
from lab.observation import Figures


def draw(figures: Figures) -> dict[str, str]:
    """Each picture's SVG, by its file's name."""
    return {
        "held.svg": picture_held.draw(figures),
        "incident.svg": picture_incident.draw(figures),
        "rate.svg": picture_rate.draw(figures),
    }


def write(folder: Path, figures: Figures) -> list[Path]:
    """Write all pictures; returns their files."""
    files = []
    for name, svg in draw(figures).items():
        file = folder / name
        file.write_text(svg, encoding="utf-8")
        files.append(file)
    return files
