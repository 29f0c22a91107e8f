"""make job NAME=archive_invoices: writes a job that works as it is, and says what to do next."""

from __future__ import annotations

import argparse
import sys

from scaffold.job import ScaffoldError, new_job
from settings.files import SettingsError
from settings.project import ROOT, Project


def main() -> int:
    """Write the job that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m scaffold", description=__doc__)
    parser.add_argument("name", help="the job's name, like archive_invoices")
    parser.add_argument("--environment", help="where it is scheduled; without it, in the first one by name")
    arguments = parser.parse_args()
    try:
        job = new_job(Project(ROOT), arguments.name, arguments.environment)
        job.write()
    except (ScaffoldError, SettingsError) as error:
        sys.stderr.write(f"make job: {error}\n")
        return 1
    sys.stdout.write(job.next_steps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
