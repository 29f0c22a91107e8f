"""How something grows: the same measures at several sizes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.figures import Measured


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Measures at several sizes."""

    subject: str
    across: str
    """What the sizes are: environments at once."""
    sizes: tuple[int, ...]
    measures: Mapping[str, tuple[float, ...]]
    """By name and unit, one for each size."""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Growth(Measured):
    """One run of the benchmarks of growth."""

    curves: tuple[Curve, ...]

    @classmethod
    def read(cls, file: Path) -> Self:
        """What `write` has put into a file.

        Raises:
            FileNotFoundError: there is no such file.
            KeyError, TypeError, ValueError: it is not what `write` writes.
        """
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        curves = tuple(
            Curve(
                **{name: each[name] for name in ("subject", "across", "note")},
                sizes=tuple(each["sizes"]),
                measures={name: tuple(values) for name, values in each["measures"].items()},
            )
            for each in found["curves"]
        )
        return cls(**{name: found[name] for name in ("date", "machine", "versions")}, curves=curves)
