"""What the migrations of a change do, asked of the program that tries them on a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from review.danger import Danger, exact
from review.failure import ReviewFailed
from settings.project import ROOT

FILES = ("lambda/migrations/*.sql", "lambda/mysql_jobs/migrations/*.sql")
THEN = {
    "access": "Whoever it is for can do that, also beside the jobs",
    "blocks": "Writers of the table wait as long as it takes: `make rehearse` measures that",
    "breaks": "The job fails from the migration on until code that fits is deployed, and after a rollback",
    "data": "It is gone when the deploy has migrated: no rollback brings it back",
    "mistake": "The deploy stops there",
    "unclassified": "Nobody here knows: read what it does before it is deployed",
}
"""What happens if somebody says yes, by the kind of a finding."""


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
        dangers=[_danger(each) for each in findings if each["kind"] != "note"],
        notes=[f"`{each['place']}`: {each['text']}" for each in findings if each["kind"] == "note"],
    )


def _danger(finding: Mapping[str, str]) -> Danger:
    kind, text = finding["kind"], finding["text"]
    return Danger(kind=kind, resource=finding["place"], code=exact(kind, text), text=text, then=THEN[kind])


def _files(checkout: Path) -> dict[str, bytes]:
    return {str(file.relative_to(checkout)): file.read_bytes() for pattern in FILES for file in checkout.glob(pattern)}
