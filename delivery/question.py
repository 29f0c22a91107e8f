"""The questions, and what counts as a yes."""

from __future__ import annotations

import sys

from delivery.command import say
from delivery.refusal import Refused
from stacks.settings import EnvironmentSettings


def yes(_: EnvironmentSettings) -> bool:
    """The answer of who said it beforehand: YES=1."""
    return True


def deploy(settings: EnvironmentSettings) -> bool:
    """Ask on the terminal; a protected environment has to be named, as nobody types that by habit.

    Raises:
        Refused: there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise Refused(
            f"There is no terminal to ask on. If the change above is meant: `make deploy ENV={settings.name} YES=1`"
        )
    where = f"{settings.name} (account {settings.account}, {settings.region})"
    if settings.database.deletion_protection:
        return _answer(f"\nDeploy to {where}? Type the environment's name: ") == settings.name
    return _answer(f"\nDeploy to {where}? [y/N] ").lower() in ("y", "yes", settings.name)


def destroy(settings: EnvironmentSettings) -> bool:
    """Ask for the environment's name, on a terminal or from a pipe: who pipes the name in has named it."""
    return _answer(f"\nTo destroy {settings.name}, type its name: ") == settings.name


def _answer(text: str) -> str:
    """The line that is typed, or comes from a pipe; empty at its end."""
    sys.stdout.write(text)
    sys.stdout.flush()
    line = sys.stdin.readline()
    if not sys.stdin.isatty():
        say(line.strip())  # a terminal shows it by itself
    return line.strip()
