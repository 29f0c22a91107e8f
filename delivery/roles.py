"""make delivery ENV=dev: creates the roles that GitHub's workflows assume.

A person runs it, once: docs/delivery.md.
"""

from __future__ import annotations

import sys

from delivery import checks, command
from delivery.assembly import run_cli
from delivery.aws import Aws
from delivery.command import DONE, FAILED
from delivery.refusal import Refused
from settings.project import ROOT, Project

STATUS = """exit status:
  0   the roles exist
  1   the CDK CLI failed, or the answer was no
  any other: nothing was done, and why. 2: called wrongly; 70: refused by a check or by AWS; 130: interrupted
make itself ends with 0 for the first, and with 2 for all others.
"""


def main() -> int:
    """Deploy the delivery stack of the environment that the command line names."""
    parser = command.parser("delivery", description=__doc__, status=STATUS)
    name = parser.parse_args().environment

    def deliver_it() -> int:
        settings = command.settings(parser, Project(ROOT), name)
        if settings.delivery is None:
            raise Refused(f"environments/{name}.toml names no repository that may deploy: write [delivery]")
        checks.account(Aws(settings.region), settings)
        # The CLI shows what the roles may do, and asks for approval.
        return DONE if run_cli("deploy", f"{name}-delivery/*", folder=ROOT) else FAILED

    return command.run(deliver_it)


if __name__ == "__main__":
    sys.exit(main())
