"""Two syntheses to compare: the app of the working tree, and the app of a commit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from settings.project import ROOT

CODE = ("lambda", "requirements.txt")
"""What the code of the functions is made from."""


class ReviewFailed(Exception):
    """The comparison failed; the message says why, and what to do."""


def common_ancestor(base: str) -> str:
    """Return the last commit that the working tree and `base` share: later commits are no part of the change.

    Raises:
        ReviewFailed: there is no such commit in this clone.
    """
    return _git("merge-base", base, "HEAD", hint=f"fetch {base} with its history, or name another commit")


def changed_code(commit: str) -> list[str]:
    """Return the files changed since `commit` that the code of the functions is made from.

    Raises:
        ReviewFailed: git failed; the message says why.
    """
    changed = _git("diff", "--name-only", commit, "--", *CODE).splitlines()
    return sorted({*changed, *_git("ls-files", "--others", "--exclude-standard", "--", *CODE).splitlines()})


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """Check `commit` out into a git worktree in `folder`, which is deleted at the end of the block.

    Raises:
        ReviewFailed: git failed; the message says why.
    """
    tree = folder / "base"
    _git("worktree", "add", "--detach", str(tree), commit)
    try:
        yield tree
    finally:
        shutil.rmtree(tree, ignore_errors=True)
        _git("worktree", "prune")


def python_for(project: Path, folder: Path) -> Path:
    """Return a Python with the packages of `project`: this one if they are the same, else a new one in `folder`.

    Only requirements.txt counts: neither the CDK CLI nor any other npm package takes part in a synthesis.

    Raises:
        ReviewFailed: its packages can't be installed.
    """
    pinned = "requirements.txt"
    if (project / pinned).read_bytes() == (ROOT / pinned).read_bytes():
        return Path(sys.executable)
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r")
    _run([str(python), *install, str(project / pinned)], hint="its packages differ from these and can't be installed")
    return python


def synthesize(project: Path, assembly: Path, python: Path) -> None:
    """Write the assembly of `project` into the folder `assembly`, without the CLI, so without credentials or network.

    Raises:
        ReviewFailed: the app failed; the message says why.
    """
    context = json.loads((project / "cdk.json").read_text())["context"]
    looked_up = project / "cdk.context.json"
    if looked_up.exists():
        context |= json.loads(looked_up.read_text())
    # As the CLI sets them: templates then have the paths of constructs, and say which code is bundled here.
    context |= {"aws:cdk:enable-path-metadata": True, "aws:cdk:enable-asset-metadata": True}
    variables = {
        **os.environ,
        "CDK_CONTEXT_JSON": json.dumps(context),
        "CDK_OUTDIR": str(assembly),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",  # Node is beside Python
    }
    _run([str(python), "app.py"], folder=project, variables=variables, hint="it doesn't synthesize")


def _git(*arguments: str, hint: str = "git says why") -> str:
    return _run(["git", *arguments], hint=hint)


def _run(command: list[str], *, hint: str, folder: Path | None = None, variables: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=folder or ROOT, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReviewFailed(f"{' '.join(command)}: {hint}\n{done.stderr.strip()}")
    return done.stdout.strip()
