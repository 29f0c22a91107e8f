"""What the migrations of a change do, asked of the program that tries them on a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from review.danger import Danger
from review.failure import ReviewFailed
from settings.project import ROOT

FILES = ("lambda/migrations/*.sql", "lambda/mysql_jobs/migrations/*.sql")


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What came of it."""

    dangers: Sequence[Danger] = ()
    notes: Sequence[str] = ()
    """Of statements that are harmless: what they do."""


def tried(base: Path, change: Path) -> Tried:
    """Return what the checkout `change` brings; no server is started unless its migrations differ from those of `base`.

    Raises:
        ReviewFailed: they could not be tried.
    """
    if _files(base) == _files(change):
        return Tried()
    command = [sys.executable, "-m", "rehearsal.review", str(base), str(change)]
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "lambda")}
    done = subprocess.run(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise ReviewFailed(f"The migrations could not be tried ({' '.join(command)}): what it says stands above")
    findings = json.loads(done.stdout)
    return Tried(
        dangers=[
            Danger(kind=each["kind"], code=each["kind"], resource=each["place"], text=each["text"])
            for each in _asked(findings)
        ],
        notes=[f"`{each['place']}`: {each['text']}" for each in findings if each["kind"] == "note"],
    )


def _asked(findings: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    return [each for each in findings if each["kind"] != "note"]


def _files(checkout: Path) -> dict[str, bytes]:
    return {str(file.relative_to(checkout)): file.read_bytes() for pattern in FILES for file in checkout.glob(pattern)}
