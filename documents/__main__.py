"""make docs: write the engine's generated documents into docs/."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from documents.execution_policy import policy
from documents.picture.arrows import architecture
from documents.picture.drawing import svg
from documents.reference import reference, schema_file
from documents.synthesis import synthesize
from review.templates import file_name, read_environments
from settings.project import ROOT, Project

EXAMPLE = Project(ROOT / "tests" / "project")
"""Whose environments the picture in the README shows: no team edits them."""
PICTURED = ("basic", "middle", "large")
"""Of these the last is drawn; below it stands what all differ in."""


def documents(assembly: Path) -> dict[Path, str]:
    """The generated documents and their text; `assembly` is the synthesized example."""
    environments = read_environments(assembly)
    pictured = [architecture(environments[name]) for name in PICTURED]
    return {
        ROOT / "docs" / "architecture.svg": svg(pictured[-1], pictured),
        ROOT / "docs" / "environment.md": reference(),
        ROOT / "docs" / "environment.schema.json": schema_file(),
        ROOT / "docs" / "execution-policy.json": policy(
            each for name, each in environments.items() if name == file_name(name)
        ),
    }


def main() -> None:
    """Write them."""
    with tempfile.TemporaryDirectory(prefix="documents-") as folder:
        for file, text in documents(synthesize(EXAMPLE, Path(folder), validated=False)).items():
            file.write_text(text)
            sys.stdout.write(f"{file.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
