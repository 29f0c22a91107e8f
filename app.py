"""The CDK app: per file in environments/ one Stage, and one more for who delivers to it."""

import sys

import aws_cdk as cdk

from stacks import compliance
from stacks.delivery import Delivery
from stacks.delivery_access import provider_mistakes
from stacks.environment import Environment
from stacks.environment_files import SettingsError, load_environments


def build(app: cdk.App) -> list[Environment]:
    """Add every environment to `app`.

    Raises:
        SettingsError: an environment file is wrong.
    """
    files = load_environments()
    if mistakes := list(provider_mistakes(files)):
        raise SettingsError("\n".join(mistakes))
    environments = [Environment(app, settings=settings) for settings in files]
    for environment in environments:
        compliance.acknowledge(environment)
    for settings in files:
        if settings.delivery is not None:
            compliance.acknowledge_delivery(Delivery(app, settings=settings, delivery=settings.delivery))
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
