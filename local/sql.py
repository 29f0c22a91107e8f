"""A look into the database of a kept local environment: python -m local.sql FOLDER 'SELECT …'."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pymysql
from rich.console import Console
from rich.table import Table

LOGIN_FILE = "client.cnf"


def write_login(
    folder: Path, *, host: str, port: int, user: str, password: str, authority: Path, database: str
) -> None:
    """Leave the login in `folder`, in the form that MySQL's own clients read, for its owner only."""
    file = folder / LOGIN_FILE
    file.touch(mode=0o600)
    file.write_text(
        f"[client]\nhost={host}\nport={port}\nuser={user}\npassword={password}\nssl-ca={authority}\ndatabase={database}\n"
    )


def main() -> int:
    """Run the program; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.sql", description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder that make run KEEP=1 named")
    parser.add_argument("statement", help="one SQL statement")
    arguments = parser.parse_args()
    file = arguments.folder / LOGIN_FILE
    if not file.is_file():
        parser.error(f"{file} does not exist: is make run KEEP=1 still up, and is this the folder that it named?")
    try:
        connection = pymysql.connect(read_default_file=str(file), autocommit=True)
        with connection, connection.cursor() as cursor:
            cursor.execute(arguments.statement)
            rows, columns = cursor.fetchall(), cursor.description or ()
    except pymysql.MySQLError as error:
        parser.exit(1, f"{error}\n")
    table = Table(*(column[0] for column in columns))
    for row in rows:
        table.add_row(*map(str, row))
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
