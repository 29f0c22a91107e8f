"""make migrate-resolve ENV=dev MIGRATION=migrations/0003_x.sql STATEMENT=applied: says what became of a statement.

For the statement of a migration that was interrupted, where a deploy says that nobody knows: `applied` if it is in
effect, `rolled-back` if nothing of it is. It changes the migrations' log only; the next deploy goes on accordingly. The
database is out of reach, so the deployed function that migrates does it.
"""

from __future__ import annotations

import sys
from typing import Literal

from delivery import checks, command
from delivery.aws import Aws, FunctionFailed
from delivery.command import DONE, say
from delivery.refusal import Refused
from settings import names
from settings.environment import EnvironmentSettings
from settings.project import ROOT, Project

STATUS = """exit status:
  0   it is noted
  any other: nothing was done, and why. 2: called wrongly; 70: refused by a check, by AWS or by the function;
  130: interrupted
make itself ends with 0 for the first, and with 2 for all others.
"""
WORDS = ("applied", "rolled-back")
"""As in Prisma's `migrate resolve`: https://www.prisma.io/docs/orm/reference/prisma-cli-reference#migrate-resolve"""


def main() -> int:
    """Resolve the statement that the command line names."""
    parser = command.parser(
        "migrate-resolve",
        description=__doc__,
        status=STATUS,
        options=f" MIGRATION=<file> STATEMENT={'|'.join(WORDS)}",
    )
    parser.add_argument("migration", help="the file, as the deploy's error names it")
    parser.add_argument("statement", choices=WORDS, help="what became of its statement")
    arguments = parser.parse_args()

    def resolve_it() -> int:
        settings = command.settings(parser, Project(ROOT), arguments.environment)
        aws = Aws(settings.region)
        checks.account(aws, settings)
        return resolve(settings, aws, migration=arguments.migration, statement=arguments.statement)

    return command.run(resolve_it)


def resolve(
    settings: EnvironmentSettings, aws: Aws, *, migration: str, statement: Literal["applied", "rolled-back"]
) -> int:
    """Have the environment's function note what became of the statement in progress of `migration`; return the status.

    Raises:
        Refused: there is no such function or no such statement, or the function can't do it.
    """
    function = names.function(settings.name, names.MIGRATE)
    event = {"resolve": migration, "statement": statement}
    otherwise = (
        "Deploy once without that migration and what needs it (the next deploy brings it back), then say it again: "
        "docs/operations.md, “When a migration fails at deploy”"
    )
    try:
        answer = aws.invoke(function, event)
    except FunctionFailed as error:
        raise Refused(f"{function} did not note it: {error}") from error
    if answer is None:
        raise Refused(f"There is no function {function}: no deploy of {settings.name} has gone well. {otherwise}")
    if "resolved" not in answer:
        raise Refused(f"{function} is of an engine that can't note it. {otherwise}")
    say(f"Noted as {statement}: {answer['resolved']}\n\n{answer['text']}\n")
    say(f"Next: `make deploy ENV={settings.name}`")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
