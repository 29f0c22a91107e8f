"""The CDK app of the game day: the engine's own, on the game day's project."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import aws_cdk as cdk

from app import build
from settings.files import SettingsError
from settings.project import Project


def main() -> None:
    """Synthesize the project that the command line names, for the CDK CLI."""
    parser = argparse.ArgumentParser(prog="python -m gameday.app", description=__doc__)
    parser.add_argument("project", type=Path, help="the folder with environments/ and lambda/")
    app = cdk.App()
    try:
        build(app, Project(parser.parse_args().project))
    except SettingsError as error:
        sys.exit(f"{error}")
    app.synth()


if __name__ == "__main__":
    main()
