"""A copy of the project as the working tree has it, in a repository of its own, to be changed."""

import shutil
import subprocess
from pathlib import Path

from stacks.settings import ROOT


def working_copy(folder: Path) -> Path:
    """Clone the project into `folder`, with the working tree's files; what they change is not committed there."""
    git(ROOT, "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder))
    git(folder, "rm", "-r", "--quiet", ".")  # what was deleted here is not in the clone, either
    for name in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "config", "user.name", "test")
    git(folder, "config", "user.email", "test@example.com")
    return folder


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
    """What git prints."""
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout
