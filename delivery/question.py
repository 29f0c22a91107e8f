"""The questions before a change, and which answers mean yes."""

from __future__ import annotations

import sys
from typing import Protocol

from delivery.command import say
from delivery.refusal import Refused
from settings.environment import EnvironmentSettings


class Question(Protocol):
    """Asks whether to deploy."""

    def __call__(self, settings: EnvironmentSettings, /, *, protected: bool) -> bool:
        """Return whether the answer is yes; `protected`: the environment is one, or is about to lose that."""


def yes(_: EnvironmentSettings, *, protected: bool) -> bool:
    """Answer yes without asking: YES=1."""
    return True


def deploy(settings: EnvironmentSettings, *, protected: bool) -> bool:
    """Ask on the terminal; a protected environment is confirmed by typing its name, which nobody does by habit.

    Raises:
        Refused: there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise Refused(
            f"There is no terminal to ask on. If the change above is intended: `make deploy ENV={settings.name} YES=1`"
        )
    where = f"{settings.name} (account {settings.account}, {settings.region})"
    if protected:
        return _answer(f"\nDeploy to {where}? Type the environment's name: ") == settings.name
    return _answer(f"\nDeploy to {where}? [y/N] ").lower() in ("y", "yes", settings.name)


def danger(resource: str, code: str) -> bool:
    """Ask about one danger, on the terminal that there has to be: its code is typed, which nobody does by habit."""
    return _answer(f"\n{resource}: is that meant? To say yes, type {code}: ") == code


def destroy(settings: EnvironmentSettings) -> bool:
    """Confirm by typing the environment's name, on a terminal or through a pipe."""
    return typed(f"\nTo destroy {settings.name}, type its name: ", settings.name)


def typed(text: str, name: str) -> bool:
    """Show `text`, and return whether `name` is the answer, on a terminal or through a pipe."""
    return _answer(text) == name


def _answer(text: str) -> str:
    """Return the line that is typed or piped in; empty at the end of the input."""
    sys.stdout.write(text)
    sys.stdout.flush()
    line = sys.stdin.readline()
    if not sys.stdin.isatty():
        say(line.strip())  # a terminal shows it by itself
    return line.strip()
