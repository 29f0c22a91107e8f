"""The migrations' files, read into statements.

There are two sequences, each numbered from 0001: the engine's (mysql_jobs/migrations/) and the project's (migrations/).
So a later version of the engine can bring migrations without renumbering the project's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Origin = Literal["engine", "project"]
FOLDERS: dict[Origin, Path] = {
    "engine": Path(__file__).parent / "migrations",
    "project": Path(__file__).parents[1] / "migrations",
}


class MigrationError(Exception):
    """The migrations can't be applied; the message names the file and, if it is about one, the statement."""


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One migration: a file of one of the two sequences."""

    origin: Origin
    """Whose sequence it belongs to."""
    number: int
    name: str
    statements: tuple[str, ...]

    @property
    def file(self) -> str:
        """The file's path in the function's zip, for messages."""
        return file_of(self.origin, self.name)


def read_migrations(folder: Path, origin: Origin) -> tuple[Migration, ...]:
    """Return the migrations in `folder`: 0001_what_it_does.sql and so on; synth has checked their names.

    Raises:
        MigrationError: a statement does not end with a semicolon at the end of a line.
    """
    return tuple(
        Migration(
            origin=origin,
            number=int(file.name.partition("_")[0]),
            name=file.stem,
            statements=statements(file.read_text(), file_of(origin, file.stem)),
        )
        for file in sorted(folder.glob("*.sql"))
    )


def file_of(origin: Origin, name: str) -> str:
    """Return the path of a migration's file in the function's zip."""
    return f"{'mysql_jobs/' if origin == 'engine' else ''}migrations/{name}.sql"


def checksum(statements: Sequence[str]) -> str:
    """Return what shows that a file's first statements are those that were applied."""
    return hashlib.sha256(";\n".join(statements).encode()).hexdigest()


def statements(text: str, file: str) -> tuple[str, ...]:
    """Return the statements of a `file`, for messages: a semicolon at the end of a line ends one.

    Raises:
        MigrationError: the last one has none, or there is no statement.
    """
    lines = [line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("--")]
    found = re.split(r";[ \t]*\n", "\n".join(lines) + "\n")
    if found.pop().strip():
        raise MigrationError(f"{file}: the last statement has no semicolon at its end")
    if not found:
        raise MigrationError(f"{file}: there is no statement in it")
    return tuple(statement.strip() for statement in found)
