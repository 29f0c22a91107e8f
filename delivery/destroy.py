"""make destroy ENV=dev: says what is deleted and what stays, asks to confirm by typing the name, deletes the stacks.

The name may come from a pipe, too (echo dev | make destroy ENV=dev); there is no YES=1.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from delivery import checks, command, destruction, question
from delivery.assembly import Assembly, synthesized
from delivery.aws import Aws
from delivery.command import DONE, FAILED, REFUSED, say
from delivery.refusal import Refused
from settings.environment import EnvironmentSettings
from settings.project import ROOT, Project

STATUS = """exit status:
  0   destroyed, or there was nothing to destroy
  1   not all of it could be deleted; the last lines say what is left
  any other: nothing was done, and why. 2: called wrongly; 70: refused by a check, by AWS, by the app or by the answer;
  130: interrupted (what CloudFormation has begun, it continues)
make itself ends with 0 for the first, and with 2 for all others.
"""


def main() -> int:
    """Destroy the environment that the command line names."""
    parser = command.parser("destroy", description=__doc__, status=STATUS)
    name = parser.parse_args().environment

    def destroy_it() -> int:
        settings = command.settings(parser, Project(ROOT), name)
        aws = Aws(settings.region)
        checks.account(aws, settings)
        say(f"Synthesizing {name} …")
        with synthesized(name) as assembly:
            return destroy(settings, assembly, aws, question.destroy)

    return command.run(destroy_it)


def destroy(
    settings: EnvironmentSettings, assembly: Assembly, aws: Aws, answer: Callable[[EnvironmentSettings], bool]
) -> int:
    """Delete the existing stacks of `assembly` if `answer` is yes; return the exit status.

    Raises:
        Refused: something protects them, or CloudFormation is working on them.
    """
    deployed = aws.stacks(assembly.names)
    if not deployed:
        say(f"Nothing to destroy: {settings.name} is not deployed in account {settings.account}, {settings.region}.")
        return DONE
    checks.at_rest(deployed)
    found = destruction.look(settings, aws, deployed)
    if protected := list(destruction.protections(settings, found)):
        raise Refused(_unprotect(settings, protected))
    say("\n".join(destruction.explanation(settings, found)))
    if not answer(settings):
        say("That is not its name. Nothing was done.")
        return REFUSED
    done = assembly.destroy()
    with command.afterwards():
        say("\n".join(destruction.leftovers(settings, aws, found)))
    return DONE if done else FAILED


def _unprotect(settings: EnvironmentSettings, protected: list[str]) -> str:
    lines = "\n".join(f"- {each}" for each in protected)
    return (
        f"{settings.name} is protected:\n{lines}\n"
        f"To destroy it, set in environments/{settings.name}.toml:\n\n"
        '    accept_risk = ["no_deletion_protection"]   # besides what is accepted already\n\n'
        "    [database]\n"
        "    deletion_protection = false\n\n"
        f"and deploy that (`make deploy ENV={settings.name}`): docs/operations.md, “Delete an environment”"
    )


if __name__ == "__main__":
    sys.exit(main())
