"""A synthesis in a process of its own: `python -m benchmarks.synth_once PROJECT FOLDER`; prints its jsii calls."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from unittest import mock

from jsii._kernel.providers import process

from documents.synthesis import synthesize
from settings.project import Project


def main() -> None:
    """Synthesize PROJECT into FOLDER; print how often Python asked Node.js for something."""
    calls = 0
    send = process._NodeProcess.send

    def counted(node: Any, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        return send(node, *arguments)

    project, folder = map(Path, sys.argv[1:])
    with mock.patch.object(process._NodeProcess, "send", counted):
        synthesize(Project(project), folder)
    sys.stdout.write(f"{calls}\n")


if __name__ == "__main__":
    main()
