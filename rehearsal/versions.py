"""Which migrations a change brings, and which it must not touch: those that are merged may be applied somewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mysql_jobs.migration_files import Migration, MigrationError, Origin, read_migrations
from rehearsal.finding import Finding

FOLDERS: Mapping[Origin, str] = {"engine": "lambda/mysql_jobs/migrations", "project": "lambda/migrations"}
"""In a checkout, in the order in which they are applied."""


@dataclass(frozen=True, kw_only=True)
class Versions:
    """The migrations of a base, and what a change adds to them."""

    merged: Sequence[Migration]
    new: Sequence[Migration]
    mistakes: Sequence[Finding]
    """Merged migrations that the change edits or leaves out, and files that are no migrations."""


def compare(base: Path, change: Path) -> Versions:
    """Return what the checkout `change` does to the migrations of the checkout `base`."""
    try:
        merged, now = read_all(base), read_all(change)
    except MigrationError as error:
        return Versions(merged=(), new=(), mistakes=[Finding(kind="mistake", place="migrations", text=f"{error}")])
    after = {(each.origin, each.number): each for each in now}
    mistakes = [
        Finding(kind="mistake", place=each.file, text=text)
        for each in merged
        if (text := _mistake(each, after.get((each.origin, each.number))))
    ]
    before = {(each.origin, each.number) for each in merged}
    new = [each for each in now if (each.origin, each.number) not in before]
    return Versions(merged=merged, new=new, mistakes=mistakes)


def read_all(checkout: Path) -> list[Migration]:
    """Return the migrations of a checkout, in the order in which they are applied.

    Raises:
        MigrationError: a file is none.
    """
    return [each for origin, folder in FOLDERS.items() for each in read_migrations(checkout / folder, origin)]


def _mistake(merged: Migration, now: Migration | None) -> str | None:
    if now is None:
        return "is merged, and no longer there: restore it. What it made is in each database that has it"
    if now.name != merged.name:
        return f"is merged, and named {now.name}.sql now: name it as before"
    if now.statements != merged.statements:
        return "is merged, and its statements differ now: restore them, and write what is new into a new migration"
    return None
