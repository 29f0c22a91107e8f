"""The CDK app: per file in environments/ one Stage, and one more for the delivery to it."""

import sys
from pathlib import Path

import aws_cdk as cdk

from settings.files import SettingsError, load_environments
from settings.project import Project
from stacks import compliance
from stacks.delivery import Delivery
from stacks.environment import Environment
from stacks.resources import add_resources


def build(app: cdk.App, project: Project) -> list[Environment]:
    """Add every environment of `project` to `app`.

    Raises:
        SettingsError: an environment file is wrong.
    """
    all_settings = load_environments(project)
    environments = [Environment(app, settings=settings, project=project) for settings in all_settings]
    for environment in environments:
        add_resources(project, environment)
        compliance.acknowledge(environment)
    for settings in all_settings:
        if settings.delivery is not None:
            compliance.acknowledge_delivery(Delivery(app, settings=settings, delivery=settings.delivery))
    compliance.check(app)
    return environments


def main() -> None:
    """Synthesize every environment, for the CDK CLI."""
    app = cdk.App()
    try:
        build(app, Project(Path(__file__).parent))
    except SettingsError as error:
        sys.exit(f"{error}")
    app.synth()


if __name__ == "__main__":
    main()
