"""The function's zip: PyMySQL, the sources, the migrations, and the certificate authorities of one region.

Bundled from what `make setup` installed and checked against the pinned hashes: no Docker, no network, the same bytes
every time.
"""

import shutil
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_lambda as lambda_

SOURCES = Path(__file__).parents[1] / "lambda"
DEPENDENCY = "PyMySQL"
"""Pure Python, so what is installed here runs on Lambda, too. Without `cryptography`: TLS makes it unnecessary."""


def function_code(region: str) -> lambda_.AssetCode:
    """The code of all functions of an environment in `region`."""
    return lambda_.Code.from_asset(
        str(SOURCES),
        # Of what is in the zip: the key changes when the code does, and only then.
        asset_hash_type=cdk.AssetHashType.OUTPUT,
        bundling=cdk.BundlingOptions(
            local=_Bundler(region),
            image=cdk.DockerImage.from_registry("unused: bundled without Docker"),
            # The cache of bundled assets tells two bundlings apart by these options, not by the bundler.
            environment={"REGION": region},
        ),
    )


def bundle(folder: Path, *, region: str) -> None:
    """Write what the zip holds into `folder`."""
    for pattern in ("*.py", "jobs/*.py", "migrations/*.sql", f"certificates/{region}.pem"):
        for source in SOURCES.glob(pattern):
            _copy(source, folder / source.relative_to(SOURCES))
    for file in distribution(DEPENDENCY).files or ():
        if file.suffix == ".py" or file.name == "LICENSE":
            _copy(Path(str(file.locate())), folder / file)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


@jsii.implements(cdk.ILocalBundling)
class _Bundler:
    def __init__(self, region: str) -> None:
        self._region = region

    def try_bundle(self, output_dir: str, *_image: Any, **_options: Any) -> bool:
        bundle(Path(output_dir), region=self._region)
        return True
