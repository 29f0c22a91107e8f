"""What a synthesis costs, in calls from Python to the CDK: each takes a third of a millisecond; there were thousands.

Counted, never timed: how fast a machine is says nothing about the code.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from jsii._kernel.providers.process import _NodeProcess

from settings.project import ROOT
from stacks import compliance
from stacks.environment import Environment
from tests.fixture import ENVIRONMENTS, PROJECT

CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"] | {"aws:cdk:bundling-stacks": []}

ENVIRONMENT, JOB = 226, 91
"""The most calls for an environment without jobs, and for each job in it."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "Counter":
    return Counter(monkeypatch, tmp_path)


class Counter:
    """Counts the calls that building and synthesizing an environment takes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._monkeypatch = monkeypatch
        self._folder = folder

    def of(self, jobs: int) -> int:
        """The calls of an environment of so many jobs."""
        [pulse, *_] = ENVIRONMENTS["basic"].jobs
        settings = ENVIRONMENTS["basic"].model_copy(
            update={"jobs": tuple(pulse.model_copy(update={"name": f"job{number}"}) for number in range(jobs))}
        )
        app = cdk.App(outdir=str(self._folder / str(jobs)), context=CONTEXT)
        with self._counted() as found:
            compliance.acknowledge(Environment(app, project=PROJECT, settings=settings))
            app.synth()
        return len(found)

    @contextmanager
    def _counted(self) -> Iterator[list[Any]]:
        found: list[Any] = []
        send = _NodeProcess.send

        def counting(process: _NodeProcess, request: Any, response: Any) -> Any:
            found.append(request)
            return send(process, request, response)

        with self._monkeypatch.context() as patched:
            patched.setattr(_NodeProcess, "send", counting)
            yield found


def test_one_more_environment_and_one_more_job_cost_few_calls(calls: Counter) -> None:
    few, more = calls.of(2), calls.of(6)
    each = (more - few) / 4
    assert each <= JOB
    assert few - 2 * each <= ENVIRONMENT
    assert each > 10, "nothing was counted"
