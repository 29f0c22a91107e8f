"""The CDK CLI that package.json pins, working against the emulator."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from local import processes
from local.emulator import ACCOUNT, Emulator
from settings.project import ROOT, Project

CDK = ROOT / "node_modules" / ".bin" / "cdk"
AT_ONCE = ("--concurrency", "4")
"""As delivery/assembly.py deploys: so many stacks at once, of those that don't need each other."""


class CommandFailed(Exception):
    """A command ended with an error; the message is what it printed last."""


@dataclass(frozen=True, kw_only=True)
class CdkCli:
    """The CLI, working on one assembly."""

    assembly: Path
    """The synthesized app's folder (cdk.out)."""
    emulator: Emulator
    folder: Path
    """For its caches, and what it printed last in each command: deploy.log, diff.log …"""

    def bootstrap(self) -> None:
        """Prepare the account for the CDK.

        Raises:
            CommandFailed: the CLI says why.
        """
        self._cdk("bootstrap", f"aws://{ACCOUNT}/{self.emulator.region}")

    def deploy(self, environment: str) -> None:
        """Deploy all stacks of `environment`.

        Raises:
            CommandFailed: the CLI says why, which includes what CloudFormation and a failed migration said.
        """
        options = ("--require-approval", "never", "--progress", "events", *AT_ONCE)
        self._cdk("deploy", *self._app(), f"{environment}/*", *options)

    def diff(self, environment: str) -> str:
        """Compare the assembly with what is deployed, and return what the CLI prints.

        Raises:
            CommandFailed: there is a difference; the message shows it.
        """
        return self._cdk("diff", *self._app(), f"{environment}/*", "--fail")

    def destroy(self, environment: str) -> None:
        """Delete all stacks of `environment`, those first that need others.

        Raises:
            CommandFailed: the CLI says why.
        """
        self._cdk("destroy", *self._app(), f"{environment}/*", "--force", *AT_ONCE)

    def _app(self) -> tuple[str, ...]:
        return ("--app", str(self.assembly))

    def _cdk(self, verb: str, *arguments: str) -> str:
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        environment = {
            **self.emulator.environment(),
            "HOME": str(home),
            "CDK_HOME": str(home),  # the CLI's caches: it takes the user's home from elsewhere than HOME
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "CI": "true",  # no animation in a log
            "NODE_COMPILE_CACHE": str(ROOT / ".cache" / "node"),
        }
        # Not in the project's folder: there, `bootstrap` would synthesize the app first.
        return run(
            [str(CDK), "--no-notices", verb, *arguments],
            log=self.folder / f"{verb}.log",
            environment=environment,
            cwd=home,
        )


def synthesize(project: Project, environment: str, assembly: Path) -> None:
    """Synthesize one environment of `project`, localized, into `assembly`.

    Raises:
        CommandFailed: the app says why.
    """
    app = shlex.join([sys.executable, "-m", "local.app", str(project.folder), environment])
    run(
        [str(CDK), "--no-notices", "--app", app, "synth", "--quiet", "--output", str(assembly), "**"],
        log=assembly.with_suffix(".log"),
        environment=None,
        cwd=ROOT,
    )


def run(command: list[str], *, log: Path, environment: dict[str, str] | None, cwd: Path) -> str:
    """Run `command` and return what it prints; on Ctrl-C it is ended, too.

    Raises:
        CommandFailed: it ended with an error.
    """
    process = processes.start(command, log=log, environment=environment, cwd=cwd)
    try:
        status = process.wait()
    finally:
        processes.stop(process.pid)
    output = log.read_text(errors="replace")
    if status != 0:
        raise CommandFailed(f"{' '.join(command)} ended with status {status}:\n{output[-4000:]}")
    return output
