"""pip, asked for another Python and machine than its own: which wheels it would install there, and to fetch them.

pip's configuration says where from.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from packages.target import Target
from packages.wheels import LockedWheel

FOR_ANOTHER = """
import json, sys
from pip._vendor.packaging import markers
environment = json.loads(sys.argv.pop(1))
markers.default_environment = lambda: dict(environment)
from pip._internal.cli.main import main
sys.exit(main())
"""
"""pip has no option for what markers say: it would take `python_version < "3.13"` for its own Python's.

https://github.com/pypa/pip/issues/11664
"""


class PipFailed(Exception):
    """pip ended with an error; the message is what it said."""


def resolve(asked: Iterable[str], target: Target, *, pins: Mapping[str, str]) -> dict[str, LockedWheel]:
    """Return the wheels that `asked` and all that they need come to on `target`, by the normalized package.

    `pins` are versions of packages that it has to take where it needs these packages.

    Raises:
        PipFailed: there are none that fit; the message says why.
    """
    with tempfile.TemporaryDirectory(prefix="packages-") as folder:
        wanted, constraints, report = (Path(folder, name) for name in ("wanted", "constraints", "report"))
        wanted.write_text("".join(f"{each}\n" for each in asked))
        constraints.write_text("".join(f"{name}=={version}\n" for name, version in pins.items()))
        options = ["--dry-run", "--ignore-installed", "--report", str(report), "--target", str(Path(folder, "none"))]
        _pip("install", target, *options, "--requirement", str(wanted), "--constraint", str(constraints))
        read = json.loads(report.read_text())
    if read["environment"]["python_version"] != target.python:
        raise AssertionError("pip evaluated markers for its own Python: packages/tools/pip.py does not fit this pip")
    found = map(_found, read["install"])
    return {each.package: each for each in found}


def download(wheels: Collection[LockedWheel], target: Target, folder: Path) -> None:
    """Fetch `wheels`, which are for `target`, into `folder`; pip compares their hashes.

    Raises:
        PipFailed: one is not to be had, or is another one there.
    """
    lines = (f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in wheels)
    with tempfile.NamedTemporaryFile("w", prefix="packages-") as wanted:
        wanted.write("".join(lines))
        wanted.flush()
        options = ("--no-deps", "--require-hashes", "--dest", str(folder), "--requirement", wanted.name)
        _pip("download", target, *options)


def _pip(command: str, target: Target, *options: str) -> None:
    chosen = [argument for platform in target.platforms for argument in ("--platform", platform)]
    chosen += ["--python-version", target.python, "--implementation", "cp"]
    chosen += [argument for abi in (target.abi, "abi3", "none") for argument in ("--abi", abi)]
    program = [sys.executable, "-c", FOR_ANOTHER, json.dumps(target.markers)]
    done = subprocess.run(
        [*program, command, "--disable-pip-version-check", "--only-binary", ":all:", *chosen, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stdout.strip()
        # Before it, what pip has looked at; after it, which requirements are in each other's way.
        raise PipFailed(said[max(0, said.find("ERROR:")) :])


def _found(entry: Mapping[str, object]) -> LockedWheel:
    match entry:
        case {
            "download_info": {"url": str(url), "archive_info": {"hashes": {"sha256": str(sha256)}}},
        }:
            file = unquote(PurePosixPath(urlsplit(url).path).name)
            return LockedWheel(file, sha256, "pip's report")
    raise AssertionError(f"pip's report has an entry of another form: {entry}")
