"""The code of the functions, as an asset that the CDK uploads."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_lambda as lambda_

from settings.project import ENGINE, Project
from stacks.jobs.bundle import bundle


def function_code(project: Project, region: str) -> lambda_.AssetCode:
    """The code of all functions of an environment of `project` in `region`."""
    return lambda_.Code.from_asset(
        str(ENGINE.parent),  # is there in every project; what is in the zip is the bundler's to say
        # Of what is in the zip: the key changes when the code does, and only then.
        asset_hash_type=cdk.AssetHashType.OUTPUT,
        bundling=cdk.BundlingOptions(
            local=_Bundler(project, region),
            image=cdk.DockerImage.from_registry("unused: bundled without Docker"),
            # The cache of bundled assets tells two bundlings apart by these options, not by the bundler.
            environment={"PROJECT": str(project.folder), "REGION": region},
        ),
    )


@jsii.implements(cdk.ILocalBundling)
class _Bundler:
    def __init__(self, project: Project, region: str) -> None:
        self._project = project
        self._region = region

    def try_bundle(self, output_dir: str, *_image: Any, **_options: Any) -> bool:
        bundle(Path(output_dir), project=self._project, region=self._region)
        return True
