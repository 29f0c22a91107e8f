"""One environment, synthesized, and the CDK CLI at work on it: what is shown is what is deployed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delivery.command import say
from delivery.refusal import Refused
from stacks.settings import ROOT

CDK = ROOT / "node_modules" / ".bin" / "cdk"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack, as it shall be."""

    name: str
    protected: bool
    """Termination protection."""
    bootstrap_parameter: str
    """The SSM parameter that has the version of what `cdk bootstrap` made."""
    bootstrap_version: int
    """The lowest that will do."""


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """The environment's stacks, in the folder that the CDK wrote."""

    folder: Path
    """The whole app's."""
    environment: str

    @property
    def stacks(self) -> tuple[Stack, ...]:
        """Its stacks, each after those that it needs."""
        manifest = json.loads((self.folder / f"assembly-{self.environment}" / "manifest.json").read_text())
        artifacts = manifest["artifacts"].values()
        return tuple(_stack(each["properties"]) for each in artifacts if each["type"] == "aws:cloudformation:stack")

    @property
    def names(self) -> list[str]:
        """The names of its stacks, in the same order."""
        return [each.name for each in self.stacks]

    def diff(self) -> tuple[int, str]:
        """How many stacks differ from what is deployed, and what the CLI says of it.

        Templates are compared, nothing else: a change set, the CLI's default, would be made by CloudFormation, so a
        look would upload and write, and a stack's would know nothing of what the stacks before it become.

        Raises:
            Refused: the CLI can't tell; the message says why.
        """
        colour = {"FORCE_COLOR": "1"} if sys.stdout.isatty() else {}
        done = subprocess.run(
            _command(*self._on_it("diff", "--method", "template", "--quiet")),
            env={**_variables(), **colour},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        count = re.search(r"Number of stacks with differences: (\d+)", done.stdout)
        if done.returncode or count is None:
            raise Refused(f"cdk diff failed:\n{done.stdout.strip()}")
        return int(count[1]), done.stdout.strip()

    def deploy(self) -> bool:
        """Deploy it, with the CLI's events for progress; whether that went well."""
        return run_cli(*self._on_it("deploy", "--require-approval", "never", "--progress", "events"))

    def destroy(self) -> bool:
        """Delete its stacks, those first that need others; whether that went well."""
        return run_cli(*self._on_it("destroy", "--force"))

    def _on_it(self, verb: str, *options: str) -> list[str]:
        # --ci: everything to standard output, and nothing that moves.
        return ["--ci", "--app", str(self.folder), verb, f"{self.environment}/*", *options]


@contextmanager
def synthesized(environment: str) -> Iterator[Assembly]:
    """`environment`, synthesized into a folder that goes away with the block.

    Not into cdk.out: whatever is synthesized there while a question waits would be deployed in its place.

    Raises:
        Refused: the app says why it can't be.
    """
    with tempfile.TemporaryDirectory(prefix="assembly-") as folder:
        yield synthesize(environment, Path(folder))


def synthesize(environment: str, folder: Path) -> Assembly:
    """Synthesize the app into `folder`.

    Raises:
        Refused: the app says why it can't be.
    """
    done = subprocess.run(
        _command("synth", "--quiet", "--output", str(folder), f"{environment}/*"),
        cwd=ROOT,
        env=_variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Refused(f"{environment} can't be synthesized:\n{done.stderr.strip()}")
    return Assembly(folder=folder, environment=environment)


def run_cli(*arguments: str, folder: Path | None = None) -> bool:
    """Have the CDK CLI work on this terminal, in `folder` if not here; whether that went well."""
    with subprocess.Popen(_command(*arguments), cwd=folder, env=_variables()) as process:
        try:
            return process.wait() == 0
        except KeyboardInterrupt:
            process.terminate()  # `kill -INT` of this program alone doesn't reach it, Ctrl-C does
            process.wait()
            say("\nEnded here only: what CloudFormation has begun, it goes on with.")
            raise


def _command(*arguments: str) -> list[str]:
    return [str(CDK), "--no-notices", *arguments]


def _stack(properties: Mapping[str, Any]) -> Stack:
    return Stack(
        name=properties["stackName"],
        protected=properties["terminationProtection"],
        bootstrap_parameter=properties["bootstrapStackVersionSsmParameter"],
        bootstrap_version=properties["requiresBootstrapStackVersion"],
    )


def _variables() -> dict[str, str]:
    """This process's, with Node on the path: it is beside this Python."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
