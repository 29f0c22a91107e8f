"""How often the incident kills: environments that run five times, are frozen wherever they are then, and run again.

No run is chosen: neither is one repeated until the freeze comes at the right moment, nor is any left out.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Self

from lab.incident_bench import QUIT_SECONDS, SCALE, TIMEOUT_SECONDS, NotReproduced
from lab.incident_environment import NodeEnvironment
from lab.incident_network import Network, Teardown
from lab.mariadb_server import MariaDBServer
from lab.observation import Rate
from local.execution_environment import Invocation

ROUND_TRIPS = (0, 0.0005, 0.001, 0.002, 0.005)
"""In seconds, as the network is told; 0 is none in between."""
ROUND_TRIPS_FAST = (0, 0.005)
ENVIRONMENTS = 8
"""For each version and distance."""
ENVIRONMENTS_FAST = 4
RUNS = 5
"""Before the freeze: an environment on Lambda is warm most of the time, too."""
FROZEN_SECONDS = 35.0
HANDLER = "mysqljs_end_says_so"
BEGINS = "the handler begins"
"""What the handler logs first."""
AT_A_TIME = 8
"""Processes that start at the same time: they have 10 seconds."""


@dataclass(kw_only=True)
class _Trial:
    node: str
    round_trip_seconds: float
    environment: NodeEnvironment
    last_run: Invocation | None = None
    """Before the freeze."""
    teardown: Teardown = field(default_factory=Teardown)
    """As far as there is a network that sees it."""
    frozen: float = 0

    @property
    def freeze_seconds(self) -> float | None:
        """How long after the goodbye the freeze came; None if nobody saw the goodbye."""
        return None if self.teardown.quit_sent is None else self.frozen - self.teardown.quit_sent


class Frozen:
    """Environments of each version of Node.js at each distance, frozen after some runs: a context manager, then `thaw`.

    What the machine does meanwhile changes nothing for them.
    """

    def __init__(
        self,
        server: MariaDBServer,
        versions: Mapping[str, Path],
        folder: Path,
        *,
        fast: bool,
        progress: Callable[[str], None],
    ) -> None:
        """Their logs go into `folder`. `fast` takes fewer of them, and divides mysqljs' timer and the freeze by 10."""
        self._server = server
        self._versions = versions
        self._folder = folder
        self._round_trips = ROUND_TRIPS_FAST if fast else ROUND_TRIPS
        self._environments = ENVIRONMENTS_FAST if fast else ENVIRONMENTS
        self._scale = SCALE if fast else 1
        self._progress = progress
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Run each, one after the other, when all have started.

        Raises:
            lab.incident_environment.NotStarted: one did not.
            lab.incident_bench.NotReproduced: a run failed.
        """
        with self._stack:
            self._networks = {
                seconds: self._stack.enter_context(
                    Network((self._server.host, self._server.port), round_trip_seconds=seconds)
                )
                for seconds in self._round_trips
                if seconds
            }
            # In turn, so that what else this machine does at a moment meets all alike.
            self._trials = [
                self._trial(node, seconds, number)
                for number in range(self._environments)
                for seconds in self._round_trips
                for node in self._versions
            ]
            self._progress(f"Starting {len(self._trials)} environments of Node.js {', '.join(self._versions)} …")
            for first in range(0, len(self._trials), AT_A_TIME):
                some = self._trials[first : first + AT_A_TIME]
                for trial in some:
                    trial.environment.start()
                for trial in some:
                    trial.environment.wait_until_ready()
            for trial in self._trials:
                self._run(trial)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill all processes."""
        self._stack.close()

    def thaw(self) -> tuple[Rate, ...]:
        """Wait until all were frozen for long enough, run each again, and return what became of them."""
        time.sleep(max(0, self._trials[-1].frozen + FROZEN_SECONDS / self._scale - time.monotonic()))
        groups: dict[tuple[str, float], list[tuple[_Trial, Invocation]]] = {}
        for trial in self._trials:
            next_run = trial.environment.invoke({})
            trial.environment.close()
            groups.setdefault((trial.node, trial.round_trip_seconds), []).append((trial, next_run))
        return tuple(_rate(groups[node, seconds]) for node in self._versions for seconds in self._round_trips)

    def _trial(self, node: str, round_trip_seconds: float, number: int) -> _Trial:
        network = self._networks.get(round_trip_seconds)
        name = f"rate_{node}_{round_trip_seconds * 1000:g}_{number}"
        user = re.sub(r"\W", "_", name)
        variables = {
            "AWS_EXECUTION_ENV": f"AWS_Lambda_nodejs{node.partition('.')[0]}.x",
            "DATABASE_HOST": self._server.host,
            "DATABASE_PORT": str(network.port if network else self._server.port),
            "DATABASE_USER": user,
            "DATABASE_PASSWORD": self._server.create_user(user),
        }
        if self._scale != 1:
            variables["QUIT_TIMEOUT"] = str(round(QUIT_SECONDS / self._scale * 1000))
        environment = NodeEnvironment(
            node=self._versions[node],
            handler=f"{HANDLER}.handler",
            environment=variables,
            timeout_seconds=TIMEOUT_SECONDS,
            log=self._folder / f"{name}.log",
        )
        self._stack.enter_context(environment)
        return _Trial(node=node, round_trip_seconds=round_trip_seconds, environment=environment)

    def _run(self, trial: _Trial) -> None:
        for _ in range(RUNS):
            trial.last_run = trial.environment.invoke({})
            if trial.last_run.error:
                raise NotReproduced(f"Node.js {trial.node}: a run failed too early: {trial.last_run.error}")
        trial.frozen = trial.environment.moments[-1].at
        if network := self._networks.get(trial.round_trip_seconds):
            trial.teardown = network.teardowns[-1]


def _rate(outcomes: Sequence[tuple[_Trial, Invocation]]) -> Rate:
    """Return what became of environments that were alike."""
    trial, _ = outcomes[0]
    died = [(each, run) for each, run in outcomes if run.error]
    for each, run in died:
        if not any("Quit inactivity timeout" in line for line in run.log_lines):
            said = "\n".join(run.log_lines)
            raise NotReproduced(f"Node.js {each.node}: a run failed for another reason: {run.error}\n{said}")
    return Rate(
        node=trial.node,
        round_trip_seconds=trial.round_trip_seconds,
        answer_seconds=_median([each.teardown.answer_seconds for each, _ in outcomes]),
        freeze_seconds=_median([each.freeze_seconds for each, _ in outcomes]),
        environments=len(outcomes),
        died=len(died),
        refused=sum(_under_its_last_runs_id(each, run) for each, run in died),
        began=sum(any(BEGINS in line for line in run.log_lines) for _, run in died),
    )


def _under_its_last_runs_id(trial: _Trial, run: Invocation) -> bool:
    return trial.last_run is not None and run.refused == (f"{trial.last_run.request_id}/error",)


def _median(seconds: Sequence[float | None]) -> float | None:
    known = [each for each in seconds if each is not None]
    return round(median(known), 4) if known else None
