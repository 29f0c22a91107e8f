"""One environment, synthesized, and the CDK CLI at work on it: what is shown is what is deployed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
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
        command = self._command("diff", "--method", "template", "--quiet")
        colour = {"FORCE_COLOR": "1"} if sys.stdout.isatty() else {}
        done = subprocess.run(
            command,
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
        return self._shown("deploy", "--require-approval", "never", "--progress", "events")

    def destroy(self) -> bool:
        """Delete its stacks, those first that need others; whether that went well."""
        return self._shown("destroy", "--force")

    def _shown(self, verb: str, *options: str) -> bool:
        with subprocess.Popen(self._command(verb, *options), env=_variables()) as process:
            try:
                return process.wait() == 0
            except KeyboardInterrupt:
                process.terminate()  # `kill -INT` of this program alone doesn't reach it, Ctrl-C does
                process.wait()
                say("\nEnded here only: what CloudFormation has begun, it goes on with.")
                raise

    def _command(self, verb: str, *options: str) -> list[str]:
        # --ci: everything to standard output, and nothing that moves.
        return [str(CDK), "--no-notices", "--ci", "--app", str(self.folder), verb, f"{self.environment}/*", *options]


def synthesize(environment: str, folder: Path) -> Assembly:
    """Synthesize the app into `folder`.

    Raises:
        Refused: the app says why it can't be.
    """
    done = subprocess.run(
        [str(CDK), "--no-notices", "synth", "--quiet", "--output", str(folder), f"{environment}/*"],
        cwd=ROOT,
        env=_variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Refused(f"{environment} can't be synthesized:\n{done.stderr.strip()}")
    return Assembly(folder=folder, environment=environment)


def run_cli(verb: str, *arguments: str, folder: Path) -> bool:
    """Have the CDK CLI work on this terminal, in `folder`; whether that went well."""
    command = [str(CDK), "--no-notices", verb, *arguments]
    return subprocess.run(command, cwd=folder, env=_variables(), check=False).returncode == 0


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
