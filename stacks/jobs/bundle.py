"""What every function's zip holds: the engine, PyMySQL, the certificate authorities of one region, and the team's jobs.

Bundled from what `make setup` installed and checked against the pinned hashes: no Docker, no network, the same bytes
every time. Apart from the construct that uploads it: `make try` bundles, too, and has no time to import the CDK.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from settings.job_variables import RIGHTS_FILE
from settings.project import ENGINE, Project

DEPENDENCY = "PyMySQL"
"""Pure Python, so what is installed here runs on Lambda, too. Without `cryptography`: TLS makes it unnecessary."""


def bundle(folder: Path, *, project: Project, region: str, rights: str | None = None) -> None:
    """Write what the zip holds into `folder`; `rights` are the jobs', where they don't fit a variable."""
    for source, target in _sources(project, region):
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / target)
    if rights is not None:
        (folder / RIGHTS_FILE).write_text(rights)


def _sources(project: Project, region: str) -> Iterator[tuple[Path, Path]]:
    """What is copied, and where to."""
    for pattern in ("*.py", "migrations/*.sql", f"certificates/{region}.pem"):
        for source in ENGINE.glob(pattern):
            yield source, source.relative_to(ENGINE.parent)
    # Not an editor's own, like .#purge_expired.py, a link to nothing.
    for target, folder, pattern in (
        ("jobs", project.jobs, "[!.]*.py"),
        ("migrations", project.migrations, "[!.]*.sql"),
    ):
        for source in folder.glob(pattern):
            yield source, Path(target, source.name)
    for file in distribution(DEPENDENCY).files or ():
        if file.suffix == ".py" or file.name == "LICENSE":
            yield Path(str(file.locate())), Path(file)
