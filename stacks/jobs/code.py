"""The code of the functions, as an asset that the CDK uploads."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_lambda as lambda_

from packages.checks import check
from packages.locks import PackageSet
from packages.requirements import PackagesError
from settings.files import SettingsError
from settings.project import ENGINE, Project
from stacks.jobs.bundle import DEPENDENCY, bundle
from stacks.jobs.pinned_wheel import pinned_wheel


def function_code(
    project: Project,
    region: str,
    *,
    packages: PackageSet | None = None,
    files: Mapping[str, str] = MappingProxyType({}),
    certificates: str | None = None,
) -> lambda_.AssetCode:
    """The code of functions of one stack of `project` in `region`, with `packages`, and the `files` they are told.

    `certificates` is the file of an existing database's authorities, if they are not RDS's.

    Raises:
        SettingsError: the wheel of PyMySQL is not there, or not the pinned one; or `packages` would not run there.
    """
    # What the bundler raises, the CDK wraps into a page of its own.
    pinned_wheel(DEPENDENCY).close()
    if packages is not None:
        _check(packages, project)
    told = {"FILES": hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()} if files else {}
    if packages is not None:
        told["PACKAGES"] = hashlib.sha256(repr(packages.wheels).encode()).hexdigest()
    if certificates is not None:
        told["CERTIFICATES"] = certificates
    return lambda_.Code.from_asset(
        str(ENGINE.parent),  # is there in every project; what is in the zip is the bundler's to say
        # Of what is in the zip: the key changes when the code does, and only then.
        asset_hash_type=cdk.AssetHashType.OUTPUT,
        bundling=cdk.BundlingOptions(
            local=_Bundler(project, region, packages, files, certificates),
            image=cdk.DockerImage.from_registry("unused: bundled without Docker"),
            # The cache of bundled assets tells two bundlings apart by these options, not by the bundler.
            environment={"PROJECT": str(project.folder), "REGION": region, **told},
        ),
    )


def _check(packages: PackageSet, project: Project) -> None:
    try:
        check(packages, project.target)
    except PackagesError as error:
        raise SettingsError(str(error)) from error


@jsii.implements(cdk.ILocalBundling)
class _Bundler:
    def __init__(
        self,
        project: Project,
        region: str,
        packages: PackageSet | None,
        files: Mapping[str, str],
        certificates: str | None,
    ) -> None:
        self._project = project
        self._region = region
        self._packages = packages
        self._files = files
        self._certificates = certificates

    def try_bundle(self, output_dir: str, *_image: Any, **_options: Any) -> bool:
        bundle(
            Path(output_dir),
            project=self._project,
            region=self._region,
            packages=self._packages,
            files=self._files,
            certificates=self._certificates,
        )
        return True
