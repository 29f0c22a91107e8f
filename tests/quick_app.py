"""An app for what a test asks of a template; the CDK's own validation of it would take most of the time."""

from typing import Any

import aws_cdk as cdk


def quick_app(**arguments: Any) -> cdk.App:
    """A `cdk.App` whose templates aren't validated: those of the `assembly` and of the variants are."""
    return cdk.App(builtin_cloud_formation_validation=False, **arguments)
