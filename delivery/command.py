"""What make diff, make deploy and make destroy have in common as commands: their arguments, their exit status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from delivery.refusal import Refused
from stacks.environment_files import SettingsError, load_environments
from stacks.settings import EnvironmentSettings
from stacks.spelling import did_you_mean

DONE, FAILED, CHANGED, REFUSED, INTERRUPTED = 0, 1, 3, 70, 130
"""A wrong call is argparse's own 2."""


NO_ACCOUNT = "000000000000"
"""Of environments that are never on AWS."""


def parser(target: str, *, description: str | None, status: str, options: str = "") -> argparse.ArgumentParser:
    """A parser for `make <target> ENV=…`; `status` explains the exit status."""
    made = argparse.ArgumentParser(
        prog=f"make {target}",
        usage=f"make {target} ENV=<environment>{options}",
        description=description,
        epilog=status,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("environment", help="the name of a file in environments/, without .toml")
    return made


def settings(parser: argparse.ArgumentParser, name: str) -> EnvironmentSettings:
    """The settings of the environment `name`; where there is none on AWS, the command ends as called wrongly.

    Raises:
        SettingsError: an environment file is wrong.
    """
    there = {each.name: each for each in load_environments()}
    on_aws = [each.name for each in there.values() if each.account != NO_ACCOUNT]
    if not name:
        parser.error(f"say which environment: ENV={' or ENV='.join(on_aws)}")
    if name not in there:
        parser.error(f"there is no environments/{name}.toml: {did_you_mean(name, on_aws, otherwise=_one_of(on_aws))}")
    if name not in on_aws:
        parser.error(f"{name} is this machine, and no account: `make run` deploys it. On AWS: {', '.join(on_aws)}")
    return there[name]


def run(command: Callable[[], int]) -> int:
    """The exit status of `command`; why it was refused goes to standard error."""
    try:
        return command()
    except (Refused, SettingsError) as error:
        sys.stderr.write(f"{error}\n")
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"AWS can't be asked, or says no: {error}\n")
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        return INTERRUPTED
    return REFUSED


@contextmanager
def afterwards() -> Iterator[None]:
    """Around what AWS is asked once all is done: credentials that have expired by then don't make it undone."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        say(f"AWS can't be asked any more what came of it: {error}")


def say(text: str = "") -> None:
    """Print a line, in front of what the CDK CLI prints next."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _one_of(names: list[str]) -> str:
    return f"there are {', '.join(names)}"
