"""make deploy ENV=dev: shows what would change, asks, deploys, and says what to look at.

Each danger, against what is deployed, needs a yes of its own: in the environment file, on the terminal, or by ACCEPT.

What is deployed is the commit that is checked out, in the account and the region that environments/dev.toml names.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

from delivery import checks, command, dangers, database_checks, diff, outcome, question
from delivery.assembly import Assembly, synthesized
from delivery.aws import Aws
from delivery.command import DONE, FAILED, REFUSED, say
from delivery.question import Question
from settings.environment import DatabaseSettings, EnvironmentSettings
from settings.project import ROOT, Project

CLOCKS = timedelta(minutes=5)
"""How far this machine's clock may differ from AWS's, which accepts no older signature.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html"""

STATUS = """exit status:
  0   deployed, or there was nothing to deploy
  1   the deploy failed; the last lines show the states of the stacks, and what to do
  any other: nothing was done, and why. 2: called wrongly; 70: refused by a check, by AWS, by the app or by the answer;
  130: interrupted (what CloudFormation has begun, it continues)
make itself ends with 0 for the first, and with 2 for all others.
"""


def main() -> int:
    """Deploy the environment that the command line names."""
    parser = command.parser("deploy", description=__doc__, status=STATUS, options=' [YES=1] [ACCEPT="reason"]')
    parser.add_argument("--yes", action="store_true", help="don't ask whether to deploy (make deploy YES=1, for CI)")
    parser.add_argument("--accept", default="", metavar="REASON", help="accept all dangers, for this reason")
    arguments = parser.parse_args()
    answer = question.yes if arguments.yes else question.deploy

    def deploy_it() -> int:
        settings = command.settings(parser, Project(ROOT), arguments.environment)
        commit = checks.clean_commit(ROOT)
        aws = Aws(settings.region)
        checks.account(aws, settings)
        say(f"Synthesizing {settings.name} of commit {commit} …")
        with synthesized(settings.name) as assembly:
            return deploy(settings, assembly, aws, answer, accept=arguments.accept)

    return command.run(deploy_it)


def deploy(settings: EnvironmentSettings, assembly: Assembly, aws: Aws, answer: Question, *, accept: str = "") -> int:
    """Deploy `assembly` if it differs from what is deployed and `answer` is yes; return the exit status.

    `accept`, if given, is the reason for all dangers that the environment file does not accept.

    Raises:
        delivery.refusal.Refused: a check failed; the message says what to do.
    """
    checks.bootstrapped(aws, assembly)
    there = aws.stacks(assembly.names)
    checks.updatable(there, aws.region)
    database_checks.acceptable(settings, assembly, aws, there)
    asked = dangers.found(settings, assembly, aws, there, accept=accept)
    if not diff.shown(assembly, there, asked):
        say(f"\nNothing to deploy: {settings.name} is up to date.")
        return DONE
    checks.nobody_left_behind(assembly, aws, there)
    # Also by what is deployed: the change may be the one that takes the protection away.
    wanted = isinstance(settings.database, DatabaseSettings) and settings.database.deletion_protection
    protected = wanted or any(each.protected for each in there.values())
    if not (dangers.answered(asked) and answer(settings, protected=protected)):
        say("Nothing was done.")
        return REFUSED
    began = datetime.now(UTC) - CLOCKS
    done = assembly.deploy()
    with command.afterwards():
        if done:
            outcome.deployed(settings, assembly, aws)
        else:
            outcome.failed(settings, assembly, aws, since=began)
    return DONE if done else FAILED


if __name__ == "__main__":
    sys.exit(main())
