"""A copy of the project as the working tree has it, in a repository of its own, to be changed."""

import os
import shutil
import subprocess
from pathlib import Path

from review.kept_assemblies import KEPT
from scaffold.upgrade import YOURS
from settings.project import ROOT
from tests.fixture import PROJECT

REPLACED = tuple(path for path in YOURS if path != "README.md")
"""What the fixture's project stands in for; the tests of the documents read the README."""


def working_copy(folder: Path) -> Path:
    """Clone the engine into `folder`, with the working tree's files and the fixture's project; nothing is committed."""
    git(ROOT, "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder))
    git(folder, "rm", "-r", "--quiet", ".")  # what was deleted here is not in the clone, either
    for name in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0"):
        if (ROOT / name).is_file() and not any(Path(name).is_relative_to(path) for path in REPLACED):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for name in REPLACED:
        if (PROJECT.folder / name).is_dir():
            shutil.copytree(PROJECT.folder / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    git(folder, "config", "user.name", "test")
    git(folder, "config", "user.email", "test@example.com")
    return folder


def link_tools(folder: Path) -> None:
    """Let the copy in `folder` use what is installed here."""
    # Older than what they describe: else `make` would install anew, through the links, into this checkout.
    for name in ("requirements-dev.txt", "requirements-checkov.txt", "package-lock.json"):
        os.utime(folder / name, (0, 0))
    for name in (".venv", "node_modules"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".cache").mkdir()  # its own: commands write there which environment is up
    for tool in (ROOT / ".cache").iterdir():
        if tool.is_dir() and tool.name != KEPT.name:
            (folder / ".cache" / tool.name).symlink_to(tool)


def commit(folder: Path, message: str) -> None:
    """Commit everything, also if that is nothing."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)


def edit(file: Path, old: str, new: str) -> None:
    """Replace the first `old`, which has to be there, by `new`."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def git(folder: Path, *arguments: str) -> str:
    """Run git in `folder` and return what it prints."""
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout
