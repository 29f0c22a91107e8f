"""What the commands have in common: their arguments, their exit status, how they report errors."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from delivery.refusal import Refused
from settings.environment import EnvironmentSettings
from settings.files import SettingsError, load_environments
from settings.project import Project
from settings.spelling import did_you_mean

DONE, FAILED, CHANGED, REFUSED, INTERRUPTED = 0, 1, 3, 70, 130
"""The exit status; a usage error is argparse's own 2."""


def parser(target: str, *, description: str | None, status: str, options: str = "") -> argparse.ArgumentParser:
    """Return a parser for `make <target> ENV=…`; `status` explains the exit status."""
    made = argparse.ArgumentParser(
        prog=f"make {target}",
        usage=f"make {target} ENV=<environment>{options}",
        description=description,
        epilog=status,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("environment", help="the name of a file in environments/, without .toml")
    return made


def settings(parser: argparse.ArgumentParser, project: Project, name: str) -> EnvironmentSettings:
    """Return the settings of the environment `name` of `project`; if there is none, end with a usage error.

    Raises:
        SettingsError: an environment file is wrong.
    """
    environments = {each.name: each for each in load_environments(project)}
    if not name:
        parser.error(f"say which environment: ENV={' or ENV='.join(environments)}")
    if name not in environments:
        hint = did_you_mean(name, environments, otherwise=f"there are {', '.join(environments)}")
        parser.error(f"there is no environments/{name}.toml: {hint}")
    return environments[name]


def run(command: Callable[[], int]) -> int:
    """Run `command` and return its exit status; write why it was refused to standard error."""
    try:
        return command()
    except (Refused, SettingsError) as error:
        sys.stderr.write(f"{error}\n")
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"AWS did not answer, or refused: {error}\n")
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        return INTERRUPTED
    return REFUSED


@contextmanager
def afterwards() -> Iterator[None]:
    """Report an error of AWS and go on: for questions after the work, when the credentials may have expired."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        say(f"AWS can't be asked about the result any more: {error}")


def say(text: str = "") -> None:
    """Print a line at once, before the CDK CLI prints its own."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
