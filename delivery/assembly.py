"""One synthesized environment, and the CDK CLI that works on it: what is shown is what is deployed."""

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
from settings.project import ROOT

CDK = ROOT / "node_modules" / ".bin" / "cdk"
AT_ONCE = ("--concurrency", "4")
"""So many stacks at once, of those that don't need each other: each makes several resources at once by itself, and the
account's API calls are limited."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack as the app describes it."""

    name: str
    protected: bool
    """Termination protection."""
    bootstrap_parameter: str
    """The SSM parameter that has the version of what `cdk bootstrap` made."""
    bootstrap_version: int
    """The lowest version that a deploy accepts."""
    template_file: str
    """In the environment's folder."""


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """The environment's stacks, in the folder that the CDK wrote."""

    folder: Path
    """The whole app's."""
    environment: str

    @property
    def stacks(self) -> tuple[Stack, ...]:
        """Its stacks, each after those that it needs."""
        artifacts = json.loads((self._own_folder / "manifest.json").read_text())["artifacts"].values()
        return tuple(_stack(each["properties"]) for each in artifacts if each["type"] == "aws:cloudformation:stack")

    @property
    def names(self) -> list[str]:
        """The names of its stacks, in the same order."""
        return [each.name for each in self.stacks]

    def template(self, stack: str) -> dict[str, Any]:
        """Return the template of one of its stacks, by the stack's name."""
        [file] = [each.template_file for each in self.stacks if each.name == stack]
        template: dict[str, Any] = json.loads((self._own_folder / file).read_text())
        return template

    @property
    def _own_folder(self) -> Path:
        return self.folder / f"assembly-{self.environment}"

    def diff(self) -> tuple[int, str]:
        """Return how many stacks differ from what is deployed, and what the CLI prints about it.

        Only templates are compared. A change set, the CLI's default, is made in AWS: a comparison would upload and
        write, and each stack's change set would be made without the changes of the stacks before it.

        Raises:
            Refused: the CLI failed; the message says why.
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
        """Deploy it, with the CLI's events for progress; return whether it succeeded."""
        return run_cli(*self._on_it("deploy", "--require-approval", "never", "--progress", "events", *AT_ONCE))

    def destroy(self) -> bool:
        """Delete its stacks, each before those that it needs; return whether it succeeded."""
        return run_cli(*self._on_it("destroy", "--force", *AT_ONCE))

    def _on_it(self, verb: str, *options: str) -> list[str]:
        # --ci: everything to standard output, and nothing that moves.
        return ["--ci", "--app", str(self.folder), verb, f"{self.environment}/*", *options]


@contextmanager
def synthesized(environment: str) -> Iterator[Assembly]:
    """Synthesize `environment` into a folder that is deleted at the end of the block.

    Not into cdk.out: another synthesis there, while a question waits for its answer, would be deployed instead.

    Raises:
        Refused: the app can't be synthesized; the message says why.
    """
    with tempfile.TemporaryDirectory(prefix="assembly-") as folder:
        yield synthesize(environment, Path(folder))


def synthesize(environment: str, folder: Path, *, app: str | None = None) -> Assembly:
    """Synthesize the app into `folder`; `app` is the command that runs another one than cdk.json's.

    Raises:
        Refused: the app can't be synthesized; the message says why.
    """
    done = subprocess.run(
        _command(*_app(app), "synth", "--quiet", "--output", str(folder), f"{environment}/*"),
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
    """Run the CDK CLI on this terminal, in `folder` or the current one; return whether it succeeded."""
    with subprocess.Popen(_command(*arguments), cwd=folder, env=_variables()) as process:
        try:
            return process.wait() == 0
        except KeyboardInterrupt:
            process.terminate()  # `kill -INT` of this program alone doesn't reach it, Ctrl-C does
            process.wait()
            say("\nInterrupted here only: CloudFormation continues what it has begun.")
            raise


def _command(*arguments: str) -> list[str]:
    return [str(CDK), "--no-notices", *arguments]


def _app(app: str | None) -> list[str]:
    return [] if app is None else ["--app", app]


def _stack(properties: Mapping[str, Any]) -> Stack:
    return Stack(
        name=properties["stackName"],
        protected=properties["terminationProtection"],
        bootstrap_parameter=properties["bootstrapStackVersionSsmParameter"],
        bootstrap_version=properties["requiresBootstrapStackVersion"],
        template_file=properties["templateFile"],
    )


def _variables() -> dict[str, str]:
    """The environment variables of this process, with Node on the path: it is beside this Python."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
