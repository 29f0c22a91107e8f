"""make adopt ENV=prod IDENTIFIER=orders: writes down a database that is there, for an environment of jobs beside it.

It asks AWS once, by calls that only look, and writes the environment's file and cdk.context.json, which you commit:
from then on, synth asks nobody. It shows what it replaces, and says what is left for you to do. In AWS, nothing is
changed.
"""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adoption import environment_file, vpc
from adoption.database import Database, find
from delivery import command
from delivery.aws import Aws
from delivery.command import DONE, say
from delivery.refusal import Refused
from settings.environment import REGIONS
from settings.project import ROOT, Project

STATUS = """exit status:
  0   written: the last lines say what is left for you to do
  any other: nothing was written, and why. 2: called wrongly; 70: refused by a check or by AWS; 130: interrupted
make itself ends with 0 for the first, and with 2 for all others.
"""
NAME = r"[a-z][a-z0-9]{0,15}"


def main() -> int:
    """Adopt the database that the command line names."""
    parser = command.parser("adopt", description=__doc__, status=STATUS, options=" IDENTIFIER=<database> [REGION=…]")
    parser.add_argument("identifier", help="the name of an RDS for MySQL instance or of an Aurora MySQL cluster")
    parser.add_argument("--region", default="", help="where it is (REGION=…); without it, the environment's, or yours")
    arguments = parser.parse_args()
    if not re.fullmatch(NAME, arguments.environment):
        parser.error("say for which environment, in small letters and digits, 16 at most: ENV=prod")
    if not arguments.identifier:
        parser.error("say which database: IDENTIFIER=orders")
    project = Project(ROOT)
    file = project.environments / f"{arguments.environment}.toml"

    def adopt_it() -> int:
        aws = Aws(arguments.region or _region(file))
        if aws.region not in REGIONS:
            parser.error(f"say in which region: REGION= one of {', '.join(REGIONS)}, not {aws.region or 'nothing'}")
        adopt(aws, arguments.identifier, file=file, context=project.folder / "cdk.context.json")
        return DONE

    return command.run(adopt_it)


def adopt(aws: Aws, identifier: str, *, file: Path, context: Path) -> None:
    """Write what AWS says of the database `identifier` into `file`, an environment's, and into `context`.

    Raises:
        Refused: there is no such database, the file is another account's, or a person has to write it.
    """
    account, _caller = aws.caller()
    found = find(aws, identifier)
    looked_up = vpc.look_up(aws, found.vpc)
    endpoint = not vpc.reaches_secrets_manager(aws, found.vpc)
    tables = environment_file.text_for(found, secrets_endpoint=endpoint)
    before = file.read_text() if file.exists() else ""
    after = (
        environment_file.with_tables(before, tables)
        if before
        else environment_file.new_file(tables, account=account, region=aws.region)
    )
    _check_place(after, account, aws.region, file)
    key = vpc.context_key(account=account, region=aws.region, vpc=found.vpc)
    known = json.loads(context.read_text()) if context.exists() else {}
    for path, old, new in (
        (file, before, after),
        (context, context.read_text() if known else "", _context({**known, key: looked_up})),
    ):
        say("\n".join(_difference(path, old, new)) or f"{path.name} stays as it is.")
        path.write_text(new)
    say("\n".join(("", "Left for you to do:", *(f"- {each}" for each in _left_to_do(found, file, endpoint)))))


def _region(file: Path) -> str:
    """The environment's, if there is a file; else that of the credentials."""
    stated = re.search(r'^region\s*=\s*"([^"]*)"', file.read_text(), re.MULTILINE) if file.exists() else None
    return stated[1] if stated else Aws.default_region()


def _check_place(text: str, account: str, region: str, file: Path) -> None:
    for key, value in (("account", account), ("region", region)):
        if not re.search(rf'^{key}\s*=\s*"{value}"', text, re.MULTILINE):
            raise Refused(
                f"{file.name} is not of {account}, {region}, where the database is ({key}): take another environment, "
                "or other credentials"
            )


def _context(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=2) + "\n"


def _difference(path: Path, before: str, after: str) -> Iterator[str]:
    """What changes, as a diff: nothing is replaced silently."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), path.name, path.name, lineterm="", n=1)
    yield from lines


def _left_to_do(found: Database, file: Path, endpoint: bool) -> Iterator[str]:
    if found.schema is None:
        yield "write database.name: the schema that the jobs work in"
    if found.login is None:
        yield (
            "write database.existing.login: a secret with the username and the password of a user who may make users, "
            "schemas and grants"
        )
    if found.max_connections is None:
        yield "write database.existing.max_connections: SELECT @@max_connections"
    if not found.iam:
        yield (
            'decide how the jobs log in: auth = "secret" works as it is; to use IAM, its owner turns that on, which '
            "needs no restart"
        )
    if len(found.security_groups) != 1:
        yield f"see that security_group is the right one: it has {', '.join(found.security_groups) or 'none'}"
    if endpoint:
        yield "see whether its VPC reaches Secrets Manager by a NAT: then secrets_endpoint = false saves 7 USD a zone"
    if any(not each.startswith("rds-ca-") for each in found.authorities):
        yield f"write database.existing.certificates: its certificate is of {', '.join(found.authorities)}"
    yield "add jobs: make job NAME=… ENV=" + file.stem
    yield f"make synth, commit environments/{file.name} and cdk.context.json, and then make deploy ENV={file.stem}"


if __name__ == "__main__":
    sys.exit(main())
