"""make doctor ENV=prod: everything about the environment's database that the jobs can't work with, each with a remedy.

It changes nothing. The database is out of reach, so the deployed function that migrates asks it; before the first
deploy there is none, and that deploy asks the same before it changes anything in a database that was there before.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from delivery import checks, command
from delivery.aws import Aws, FunctionFailed
from delivery.command import DONE, FAILED, say
from delivery.refusal import Refused
from settings import names
from settings.environment import EnvironmentSettings
from settings.project import ROOT, Project

STATUS = """exit status:
  0   nothing that stops a deploy was found; there may be warnings
  1   something that stops was found
  any other: nobody has looked, and why. 2: called wrongly; 70: refused by a check, by AWS or by the function;
  130: interrupted
make itself ends with 0 for the first, and with 2 for all others.
"""


def main() -> int:
    """Examine the database of the environment that the command line names."""
    parser = command.parser("doctor", description=__doc__, status=STATUS)
    arguments = parser.parse_args()

    def examine_it() -> int:
        settings = command.settings(parser, Project(ROOT), arguments.environment)
        aws = Aws(settings.region)
        checks.account(aws, settings)
        return examine(settings, aws)

    return command.run(examine_it)


def examine(settings: EnvironmentSettings, aws: Aws) -> int:
    """Have the environment's function examine its database, show what it found, and return the status.

    Raises:
        Refused: there is no such function, or it could not.
    """
    function = names.function(settings.name, names.MIGRATE)
    try:
        answer = aws.invoke(function, {"doctor": True})
    except FunctionFailed as error:
        raise Refused(f"{function} could not examine the database: {error}") from error
    if answer is None:
        raise Refused(
            f"There is no function {function}: no deploy of {settings.name} has gone well. The first deploy asks the "
            f"same before it changes anything in a database that was there before: `make deploy ENV={settings.name}`"
        )
    if "findings" not in answer:
        raise Refused(f"{function} is of an engine without a doctor: `make deploy ENV={settings.name}` first")
    return report(settings.name, answer["findings"])


def report(environment: str, findings: Sequence[Mapping[str, str]]) -> int:
    """Show what was found, and return the status."""
    if not findings:
        say(f"The database of {environment} is as its jobs need it.")
        return DONE
    title = f"What is not right about the database of {environment}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("", "Where", "What", "Remedy"):
        table.add_column(heading, overflow="fold")
    for each in findings:
        table.add_row(*(escape(each[column]) for column in ("severity", "where", "what", "remedy")))
    Console().print(table)
    stops = sum(each["severity"] == "stops" for each in findings)
    say(f"{stops} of {len(findings)} would stop a deploy; docs/doctor.md has all lines, and why.")
    return FAILED if stops else DONE


if __name__ == "__main__":
    sys.exit(main())
