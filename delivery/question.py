"""The questions before a change, and which answers mean yes."""

from __future__ import annotations

import sys

from delivery.command import say
from delivery.refusal import Refused
from settings.environment import EnvironmentSettings


def yes(_: EnvironmentSettings) -> bool:
    """Answer yes without asking: YES=1."""
    return True


def deploy(settings: EnvironmentSettings) -> bool:
    """Ask on the terminal; a protected environment is confirmed by typing its name, which nobody does by habit.

    Raises:
        Refused: there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise Refused(
            f"There is no terminal to ask on. If the change above is intended: `make deploy ENV={settings.name} YES=1`"
        )
    where = f"{settings.name} (account {settings.account}, {settings.region})"
    if settings.database.deletion_protection:
        return _answer(f"\nDeploy to {where}? Type the environment's name: ") == settings.name
    return _answer(f"\nDeploy to {where}? [y/N] ").lower() in ("y", "yes", settings.name)


def destroy(settings: EnvironmentSettings) -> bool:
    """Confirm by typing the environment's name, on a terminal or through a pipe."""
    return _answer(f"\nTo destroy {settings.name}, type its name: ") == settings.name


def _answer(text: str) -> str:
    """Return the line that is typed or piped in; empty at the end of the input."""
    sys.stdout.write(text)
    sys.stdout.flush()
    line = sys.stdin.readline()
    if not sys.stdin.isatty():
        say(line.strip())  # a terminal shows it by itself
    return line.strip()
