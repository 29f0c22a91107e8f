"""The files of the migrations, as far as synth can tell what is wrong with them: their names and their order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

NAME = re.compile(r"(?!0000)([0-9]{4})_[a-z0-9_]+\.sql")


def migration_mistakes(folder: Path) -> Iterator[str]:
    """Everything in `folder` that is no migration, and each gap and duplicate in their numbers: what to write instead.

    A migration is a file like 0001_what_it_does.sql; the numbers begin with 0001, and none is left out.
    """
    files = sorted(file for file in folder.glob("*") if not file.name.startswith("."))  # .gitkeep, or an editor's
    unused = max((int(match[1]) for file in files if (match := NAME.fullmatch(file.name))), default=0) + 1
    seen: dict[int, str] = {}
    for file in files:
        where, match = f"{folder.parent.name}/{folder.name}/{file.name}", NAME.fullmatch(file.name)
        if file.is_dir():
            yield f"{where}: is a folder, and only the files beside it are applied: move or remove it"
            continue
        if not file.is_file():
            yield f"{where}: is not a file: write the migration, or remove it"
            continue
        if match is None:
            yield f"{where}: no migration has such a name: write one like {unused:04}_what_it_does.sql"
            continue
        number, following = int(match[1]), max(seen, default=0) + 1
        if number in seen:
            yield f"{where}: {seen[number]} has this number: write {unused:04}, which is unused"
        elif number != following:
            yield f"{where}: {following:04} is missing: write {following:04}"
        seen.setdefault(number, file.name)
