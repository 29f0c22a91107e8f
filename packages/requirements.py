"""What a team writes: one package a line, with the versions that its jobs can work with."""

from __future__ import annotations

from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

ENGINES = "pymysql"
"""In every function's zip, in the version that the engine is tested with."""


class PackagesError(ValueError):
    """The packages of jobs are not as they should be; the message says which file, what is wrong and what to do."""


def base_file(jobs: Path) -> Path:
    """Return the file with what all jobs of the folder `jobs` need; it need not be there."""
    return jobs.parent / "requirements.txt"


def own_file(job: Path) -> Path:
    """Return the file with what the job of this module alone needs; it need not be there."""
    return job.with_suffix(".txt")


def shown(file: Path) -> str:
    """Return the name that people know a file of requirements, or a lock, by."""
    return f"lambda/{file.name}" if file.stem == "requirements" else f"lambda/jobs/{file.name}"


def requirements(file: Path) -> list[str]:
    """Return the requirements in `file`; none if there is no such file.

    Raises:
        PackagesError: a line is something else than a package and its versions.
    """
    lines = file.read_text().splitlines() if file.is_file() else []
    stated = ((number, line.partition("#")[0].strip()) for number, line in enumerate(lines, start=1))
    return [_requirement(f"{shown(file)}:{number}", line) for number, line in stated if line]


def _requirement(where: str, line: str) -> str:
    try:
        read = Requirement(line)
    except InvalidRequirement as error:
        raise PackagesError(
            f"{where}: {line!r} is no package: write its name and its versions, like requests>=2.32,<3"
        ) from error
    if read.url:
        raise PackagesError(f"{where}: {line!r} is an address: write a name and versions, from a package index")
    if canonicalize_name(read.name) == ENGINES:
        raise PackagesError(
            f"{where}: PyMySQL is in every function already, in the version that the engine is tested with: "
            "remove the line"
        )
    return str(read)
