"""A look into the database of the environment that `make run KEEP=1` keeps up: python -m local.sql 'SELECT …'."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pymysql
from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from local import kept

LOGIN_FILE = "client.cnf"
UNLIMITED = 1_000_000


def write_login(
    folder: Path, *, host: str, port: int, user: str, password: str, authority: Path, database: str
) -> None:
    """Leave the login in `folder`, in the form that MySQL's own clients read, for its owner only."""
    file = folder / LOGIN_FILE
    file.touch(mode=0o600)
    file.write_text(
        f"[client]\nhost={host}\nport={port}\nuser={user}\npassword={password}\nssl-ca={authority}\ndatabase={database}\n"
    )


def connect(folder: Path) -> pymysql.Connection[Any]:
    """Return a connection with the login in `folder`, in autocommit mode; the caller closes it.

    Raises:
        pymysql.MySQLError: the server does not answer.
    """
    return pymysql.connect(read_default_file=str(folder / LOGIN_FILE), autocommit=True)


def main() -> int:
    """Run the program; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.sql", description=__doc__)
    parser.add_argument("--folder", type=Path, help="of another kept environment, as it named it; else the latest")
    parser.add_argument("statement", help="one SQL statement")
    arguments = parser.parse_args()
    try:
        folder = arguments.folder or Path(kept.find().folder)
        with connect(folder) as connection, connection.cursor() as cursor:
            count = cursor.execute(arguments.statement)
            rows, columns = cursor.fetchall(), [column[0] for column in cursor.description or ()]
    except (kept.NothingKept, pymysql.MySQLError, OSError) as error:
        parser.exit(1, f"{error}\n")
    console = Console()
    console.print(_result(columns, rows, console) if columns else f"{count} rows changed", highlight=False)
    return 0


def _result(columns: Sequence[str], rows: Iterable[Sequence[Any]], console: Console) -> RenderableType:
    """Return the rows as a table, or, where that is wider than the terminal, each as a list of its values."""
    cells = [["NULL" if value is None else str(value) for value in row] for row in rows]
    table = Table(*columns, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for row in cells:
        table.add_row(*map(Text, row))
    wanted = Measurement.get(console, console.options.update(max_width=UNLIMITED), table).maximum
    if wanted <= console.width:
        return table
    lists = Table.grid("name", "value", padding=(0, 2, 0, 0))
    for number, row in enumerate(cells, start=1):
        lists.add_row(Text(f"row {number}", style="bold"), "")
        for name, value in zip(columns, row, strict=True):
            lists.add_row(Text(name), Text(value, overflow="fold"))
    return lists


if __name__ == "__main__":
    sys.exit(main())
