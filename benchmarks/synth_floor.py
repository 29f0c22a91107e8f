"""The floor of a synthesis: the same imports and as many stacks, empty. `python -m benchmarks.synth_floor 4 FOLDER`."""

from __future__ import annotations

import sys

import aws_cdk as cdk

import documents.synthesis  # noqa: F401 (imports what a synthesis does)

STACKS = ("Network", "Database", "Jobs", "delivery")


def main() -> None:
    """Synthesize so many stages into FOLDER."""
    stages, folder = int(sys.argv[1]), sys.argv[2]
    app = cdk.App(outdir=folder)
    for number in range(stages):
        stage = cdk.Stage(app, f"stage-{number}")
        for name in STACKS:
            cdk.Stack(stage, name)
    app.synth()


if __name__ == "__main__":
    main()
