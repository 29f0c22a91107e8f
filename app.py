"""The CDK app: one Stage per file in environments/."""

import sys

import aws_cdk as cdk

from stacks import compliance
from stacks.environment import Environment
from stacks.environment_files import SettingsError, load_environments


def build(app: cdk.App) -> list[Environment]:
    """Add every environment to `app`.

    Raises:
        SettingsError: an environment file is wrong.
    """
    environments = [Environment(app, settings=settings) for settings in load_environments()]
    for environment in environments:
        compliance.acknowledge(environment)
    compliance.check(app)
    return environments


def main() -> None:
    """Synthesize every environment, for the CDK CLI."""
    app = cdk.App()
    try:
        build(app)
    except SettingsError as error:
        sys.exit(f"{error}")
    app.synth()


if __name__ == "__main__":
    main()
