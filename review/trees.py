"""What a commit holds and what the working tree holds, as trees of git: the same content has the same name."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from review.failure import ReviewFailed
from settings.project import ROOT

CODE = ("lambda", "requirements.txt")
"""What the code of the functions is made from."""
SYNTHESIZED = ("environments", "lambda", "settings", "stacks", ":(glob)*.json", ":(glob)*.py")
"""Where a file takes part in a synthesis although git ignores it."""


class Trees:
    """This repository's trees. What it has to write is in a folder of its own: the repository stays as it is."""

    def __init__(self, folder: Path) -> None:
        """Trees of what is not committed are written into `folder`, a new one.

        Raises:
            ReviewFailed: this is no repository, or there is no git.
        """
        (folder / "objects").mkdir(parents=True)
        repository = _git("rev-parse", "--path-format=absolute", "--git-path", "objects")
        self._variables = {
            **os.environ,
            "GIT_INDEX_FILE": str(folder / "index"),
            "GIT_OBJECT_DIRECTORY": str(folder / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": json.dumps(repository, ensure_ascii=False),  # may have a colon in it
        }

    def of_commit(self, commit: str) -> str:
        """Return the name of what `commit` holds.

        Raises:
            ReviewFailed: git failed; the message says why.
        """
        return self._git("rev-parse", f"{commit}^{{tree}}")

    def of_working_tree(self) -> str:
        """Return the name of what is in the working tree: as `git add --all` would take it, and what it would ignore.

        Raises:
            ReviewFailed: git failed; the message says why.
        """
        self._git("read-tree", "HEAD")  # without the time stamps of the repository's index: each file is read
        self._git("add", "--all")
        ignored = self._git("ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--", *SYNTHESIZED)
        names = [name for name in ignored.split("\0") if name and "__pycache__" not in Path(name).parts]
        self._git("update-index", "--add", "-z", "--stdin", given="\0".join(names))
        return self._git("write-tree")

    def check_out(self, tree: str, folder: Path) -> None:
        """Write the files of `tree` into `folder`.

        Raises:
            ReviewFailed: git failed; the message says why.
        """
        self._git("read-tree", tree)
        self._git("checkout-index", "--all", f"--prefix={folder}{os.sep}")

    def changed_code(self, old: str, new: str) -> list[str]:
        """Return the files in which two trees differ that the code of the functions is made from.

        Raises:
            ReviewFailed: git failed; the message says why.
        """
        return self._git("diff", "--name-only", old, new, "--", *CODE).splitlines()

    def _git(self, *arguments: str, given: str = "") -> str:
        return _git(*arguments, variables=self._variables, given=given)


def common_ancestor(base: str) -> str:
    """Return the last commit that the working tree and `base` share: later commits are no part of the change.

    Raises:
        ReviewFailed: there is no such commit in this clone.
    """
    return _git(
        "merge-base", "--end-of-options", base, "HEAD", hint=f"fetch {base} with its history, or name another commit"
    )


def _git(*arguments: str, hint: str = "git says why", variables: dict[str, str] | None = None, given: str = "") -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=variables, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReviewFailed(f"{' '.join(command)}: {hint}\n{done.stderr.strip()}")
    return done.stdout.rstrip("\n")
