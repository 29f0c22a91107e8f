"""make diff ENV=dev: what deploying the working tree would change in the environment, and what in it needs a yes.

Changes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from delivery import checks, command, dangers
from delivery.assembly import Assembly, synthesized
from delivery.aws import Aws, DeployedStack
from delivery.command import CHANGED, DONE, say
from delivery.dangers import Found
from settings.environment import EnvironmentSettings
from settings.project import ROOT, Project

STATUS = """exit status:
  0   nothing differs from what is deployed
  3   something does
  any other: no comparison, and why. 2: called wrongly; 70: refused by a check, by AWS or by the app; 130: interrupted
make itself ends with 0 for the first two.
"""


def main() -> int:
    """Print the differences."""
    parser = command.parser("diff", description=__doc__, status=STATUS, options=" (or BASE=<commit>: offline)")
    name = parser.parse_args().environment

    def diff_it() -> int:
        settings = command.settings(parser, Project(ROOT), name)
        aws = Aws(settings.region)
        checks.account(aws, settings)
        say(f"Synthesizing {name} …")
        with synthesized(name) as assembly:
            return diff(settings, assembly, aws)

    return command.run(diff_it)


def diff(settings: EnvironmentSettings, assembly: Assembly, aws: Aws) -> int:
    """Print what differs between `assembly` and what is deployed; return the exit status.

    Raises:
        delivery.refusal.Refused: the CDK CLI failed; the message says why.
    """
    there = aws.stacks(assembly.names)
    return CHANGED if shown(assembly, there, dangers.found(settings, assembly, aws, there)) else DONE


def shown(assembly: Assembly, deployed: Mapping[str, DeployedStack], asked: Found) -> bool:
    """Print what differs from `deployed`, and what in it needs a yes; return whether anything differs.

    Raises:
        delivery.refusal.Refused: the CDK CLI failed; the message says why.
    """
    count, text = assembly.diff()
    others = list(_not_in_templates(assembly, deployed))
    say("\n".join([text, *others, *asked.lines()]))
    return bool(count or others)


def _not_in_templates(assembly: Assembly, deployed: Mapping[str, DeployedStack]) -> Iterator[str]:
    """What a deploy would do that a comparison of templates doesn't show, line by line."""
    for stack in assembly.stacks:
        there = deployed.get(stack.name)
        if there is None:
            continue
        if checks.never_made(there):
            yield f"Stack {stack.name} ({there.status}) could not be created before, and will be created again."
        elif there.protected != stack.protected:
            yield f"Stack {stack.name}: termination protection goes {'on' if stack.protected else 'off'}."


if __name__ == "__main__":
    sys.exit(main())
