"""The CDK app of this machine: one environment of a project, localized."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import aws_cdk as cdk

from local.localized import localized
from packages.target import HERE
from settings.files import SettingsError, load_environment
from settings.project import Project
from stacks import compliance
from stacks.environment import Environment
from stacks.resources import add_resources


def main() -> None:
    """Synthesize the environment that the command line names, for the CDK CLI."""
    parser = argparse.ArgumentParser(prog="python -m local.app", description=__doc__)
    parser.add_argument("project", type=Path, help="the folder with environments/ and lambda/")
    parser.add_argument("environment", help="the name of a file in environments/, without .toml")
    arguments = parser.parse_args()
    project = Project(arguments.project, target=HERE)
    # What AWS would refuse is looked for by `make synth` and `make test`: here it would take most of the time.
    # Nor is there a limit of 500 resources: with a secret for each of 1,000 jobs, the Database stack has more.
    app = cdk.App(builtin_cloud_formation_validation=False, context={"@aws-cdk/core:stackResourceLimit": 0})
    try:
        settings = load_environment(project, arguments.environment)
        environment = Environment(app, settings=localized(settings), project=project)
    except SettingsError as error:
        sys.exit(f"{error}")
    add_resources(project, environment)
    compliance.acknowledge(environment)
    app.synth()


if __name__ == "__main__":
    main()
