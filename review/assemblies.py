"""The app, synthesized: as the working tree has it, and as a commit had it."""

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

from stacks.settings import ROOT

CODE = ("lambda", "requirements.txt")
"""What the code of the functions is made from."""


class ReviewFailed(Exception):
    """There is nothing to compare; the message says why, and what to do."""


def common_ancestor(base: str) -> str:
    """The commit that the working tree and `base` have in common: what came to `base` since is no change of ours.

    Raises:
        ReviewFailed: there is no such commit here.
    """
    return _git("merge-base", base, "HEAD", hint=f"fetch {base} with its history, or name another commit")


def changed_code(commit: str) -> list[str]:
    """The files since `commit` that change the code of the functions.

    Raises:
        ReviewFailed: git says why.
    """
    changed = _git("diff", "--name-only", commit, "--", *CODE).splitlines()
    return sorted({*changed, *_git("ls-files", "--others", "--exclude-standard", "--", *CODE).splitlines()})


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """The files of `commit`, in a git worktree in `folder`, which goes away with the block.

    Raises:
        ReviewFailed: git says why.
    """
    tree = folder / "base"
    _git("worktree", "add", "--detach", str(tree), commit)
    try:
        yield tree
    finally:
        shutil.rmtree(tree, ignore_errors=True)
        _git("worktree", "prune")


def python_for(project: Path, folder: Path) -> Path:
    """A Python with the packages of `project`: this one if they are the same, else one made in `folder`.

    Only requirements.txt counts: neither the CDK CLI nor anything else of npm takes part in a synthesis.

    Raises:
        ReviewFailed: its packages can't be installed.
    """
    pinned = "requirements.txt"
    if (project / pinned).read_bytes() == (ROOT / pinned).read_bytes():
        return Path(sys.executable)
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r")
    _run(
        [str(python), *install, str(project / pinned)], hint="its packages are others than here and can't be installed"
    )
    return python


def synthesize(project: Path, assembly: Path, python: Path) -> None:
    """Write the assembly of `project` into the folder `assembly`, without the CLI, so without credentials or network.

    Raises:
        ReviewFailed: the app says why.
    """
    context = json.loads((project / "cdk.json").read_text())["context"]
    looked_up = project / "cdk.context.json"
    if looked_up.exists():
        context |= json.loads(looked_up.read_text())
    # As the CLI sets them: constructs are named by their paths, and code by whether it is ours.
    context |= {"aws:cdk:enable-path-metadata": True, "aws:cdk:enable-asset-metadata": True}
    variables = {
        **os.environ,
        "CDK_CONTEXT_JSON": json.dumps(context),
        "CDK_OUTDIR": str(assembly),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",  # Node is there
    }
    _run([str(python), "app.py"], folder=project, variables=variables, hint="it doesn't synthesize")


def _git(*arguments: str, hint: str = "see what git says") -> str:
    return _run(["git", *arguments], hint=hint)


def _run(command: list[str], *, hint: str, folder: Path | None = None, variables: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=folder or ROOT, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReviewFailed(f"{' '.join(command)}: {hint}\n{done.stderr.strip()}")
    return done.stdout.strip()
