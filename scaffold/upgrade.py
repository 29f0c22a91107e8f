"""make upgrade VERSION=v0.2.0: takes a later version of the engine over.

A git merge of that version, in which what is yours stays as it is: no file is both yours and the engine's, so what the
engine's repository does to its own examples is of no interest here.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from settings.project import ROOT

YOURS = (
    "environments",
    "lambda/jobs",
    "lambda/migrations",
    "lambda/requirements.txt",
    "lambda/requirements.lock",
    "resources.py",
    "tests/jobs",
    "tests/snapshots",
    "cdk.context.json",
    "README.md",
    ".github/CODEOWNERS",
)
"""Folders and files that a team writes. A merge leaves them alone, the README included: a team has its own."""

STATUS = """exit status:
  0   merged and committed, or there was nothing to merge
  1   files of the engine that you have changed, too, are in conflict: the last lines name them and say what to do
  70  nothing was done, and why
"""


class UpgradeRefused(Exception):
    """Nothing was merged; the message says why, and what to do."""


def main() -> int:
    """Merge the version that the command line names; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="make upgrade", description=__doc__, epilog=STATUS, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("version", help="a tag or a commit of the engine's repository, fetched before: git fetch …")
    version = parser.parse_args().version
    try:
        conflicts = upgrade(ROOT, version)
    except UpgradeRefused as error:
        sys.stderr.write(f"{error}\n")
        return 70
    if conflicts:
        listed = "\n".join(f"- {file}" for file in conflicts)
        sys.stdout.write(
            f"These files are the engine's, and both {version} and you have changed them:\n{listed}\n"
            "Resolve each, `git add` it, and `git commit`; or go back with `git merge --abort`.\n"
        )
        return 1
    sys.stdout.write(
        f"The engine is at {version}; what is yours is as it was. Next: read CHANGELOG.md, then\n"
        "`make snapshots` (git diff shows what changes in AWS) and `make test`.\n"
    )
    return 0


def upgrade(folder: Path, version: str) -> list[str]:
    """Merge `version` into the repository in `folder` and commit; returns the engine's files that are in conflict.

    While there are conflicts nothing is committed, and the merge is open.

    Raises:
        UpgradeRefused: there is no such version, it has no common history, or something is not committed.
    """
    _require_a_version(folder, version)
    if changed := _git(folder, "status", "--porcelain").stdout.strip():
        raise UpgradeRefused(f"Commit these first, or put them aside (`git stash -u`):\n{changed}")
    merged = _git(folder, "merge", "--no-ff", "--no-commit", version)
    if not (folder / _git(folder, "rev-parse", "--git-path", "MERGE_HEAD").stdout.strip()).exists():
        if merged.returncode:
            raise UpgradeRefused(f"git merge {version} failed:\n{merged.stdout}{merged.stderr}".rstrip())
        return []  # already up to date
    for path in YOURS:
        _keep(folder, path)
    conflicts = _git(folder, "diff", "--name-only", "--diff-filter=U").stdout.splitlines()
    if not conflicts:
        _required(folder, "commit", "--quiet", "--message", f"Take over {version} of the engine")
    return conflicts


def _require_a_version(folder: Path, version: str) -> None:
    if not version or _git(folder, "rev-parse", "--verify", "--quiet", f"{version}^{{commit}}").returncode:
        raise UpgradeRefused(
            f"There is no version {version!r} here: name one with VERSION=, and fetch it first. Once:\n"
            "`git remote add engine <address of the engine's repository>`; then `git fetch --tags engine`"
        )
    if _git(folder, "merge-base", "HEAD", version).returncode:
        raise UpgradeRefused(
            f"This repository and {version} have no commit in common: it was copied, not cloned, and git can't tell "
            "what you have changed. Once: find the engine's commit that you copied, and tell git with "
            "`git merge --strategy ours --allow-unrelated-histories <commit>`"
        )


def _keep(folder: Path, path: str) -> None:
    """Make `path` what it was before the merge, whatever the merge did to it."""
    _required(folder, "rm", "-r", "--quiet", "--force", "--ignore-unmatch", "--", path)
    if _git(folder, "ls-tree", "HEAD", "--", path).stdout:
        _required(folder, "checkout", "--quiet", "HEAD", "--", path)


def _required(folder: Path, *arguments: str) -> None:
    done = _git(folder, *arguments)
    if done.returncode:
        raise UpgradeRefused(f"git {' '.join(arguments)} failed, in the middle of a merge:\n{done.stderr.strip()}")


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
