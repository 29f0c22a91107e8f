"""make bootstrap ENV=dev: prepares the account and the region of an environment for the CDK, once."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from delivery import checks, command
from delivery.assembly import run_cli
from delivery.aws import Aws
from delivery.command import DONE, FAILED
from settings.project import ROOT, Project

STATUS = """exit status:
  0   the account is ready in this region
  1   the CDK CLI failed; its output says why
  any other: nothing was done, and why. 2: called wrongly; 70: refused by a check or by AWS; 130: interrupted
make itself ends with 0 for the first, and with 2 for all others.
"""


def main() -> int:
    """Bootstrap the account and region of the environment that the command line names."""
    parser = command.parser("bootstrap", description=__doc__, status=STATUS)
    name = parser.parse_args().environment

    def bootstrap_it() -> int:
        settings = command.settings(parser, Project(ROOT), name)
        checks.account(Aws(settings.region), settings)
        # Outside the project's folder: inside it, the CLI would synthesize the app first, to no purpose.
        with tempfile.TemporaryDirectory(prefix="bootstrap-") as folder:
            done = run_cli("bootstrap", f"aws://{settings.account}/{settings.region}", folder=Path(folder))
        return DONE if done else FAILED

    return command.run(bootstrap_it)


if __name__ == "__main__":
    sys.exit(main())
