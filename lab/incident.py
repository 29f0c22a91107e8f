"""The incident that this project began with, reproduced: Node.js, mysqljs, and a function frozen between its runs.

mysqljs' `end()` returns nothing, so `await` waits for nothing. It writes COM_QUIT and arms a timer of 30 seconds, which
is cleared when the client handles the server's FIN. Lambda freezes the process before it can. After a longer freeze,
the event loop runs timers before it looks at sockets: the timer fires, although the FIN lay in the kernel all along.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from lab import incident_rate, mariadb_installation, node_installations
from lab.incident_bench import QUIT_SECONDS, ROOT, SCALE, Outcome, Situation, Trial
from lab.mariadb_server import MariaDBServer
from lab.observation import Actor, Event, Observation, Rate, Timeline

ENVIRONMENTS = 3
"""How many of each situation, as some outcomes are a matter of chance."""
PACKAGES = ("aws-lambda-ric", "mysql", "mysql2", "serverless-mysql")

INCIDENT = Situation(pattern="mysqljs: await end()", handler="mysqljs_end")
CURE = Situation(pattern="mysqljs: destroy()", handler="mysqljs_destroy")
NEAR = Situation(pattern="mysqljs: await end()", handler="mysqljs_end", round_trip_seconds=0)
SHORT = Situation(pattern="mysqljs: await end()", handler="mysqljs_end", frozen_seconds=25)
AWAITED = Situation(pattern="mysqljs: await promisified end()", handler="mysqljs_end_promisified")
MYSQL2 = Situation(pattern="mysql2: await end()", handler="mysql2_end")
KEPT = Situation(pattern="serverless-mysql: await end()", handler="serverless_mysql_end")
SITUATIONS = (
    INCIDENT,
    CURE,
    NEAR,
    SHORT,
    AWAITED,
    MYSQL2,
    Situation(pattern="mysql2: destroy()", handler="mysql2_destroy"),
    KEPT,
    Situation(pattern="serverless-mysql: quit()", handler="serverless_mysql_quit"),
    # It calls mysqljs' end() without options.
    Situation(pattern="serverless-mysql on mysqljs: quit()", handler="serverless_mysql_quit_mysqljs", scales=False),
)


@dataclass(frozen=True, kw_only=True)
class Incident:
    """What the lab observed of the incident."""

    observations: tuple[Observation, ...]
    timelines: tuple[Timeline, ...]
    """Of the incident and of its cure, from the start of the run before the freeze."""
    stack: tuple[str, ...]
    """Of the incident's error."""
    rates: tuple[Rate, ...]
    """How often it kills."""
    versions: Mapping[str, str]


def observe(*, fast: bool, progress: Callable[[str], None]) -> Incident:
    """Reproduce the incident and situations like it, and count how often it kills: in two minutes, or 20 s if `fast`.

    Raises:
        lab.mariadb_installation.ToolMissing: there is no MariaDB server, and none can be fetched.
        lab.node_installations.ToolMissing: the other versions of Node.js can't be fetched.
        local.server_start.StartFailed: the server does not start.
        What `reproduce` and `lab.incident_rate.Frozen` raise.
    """
    cache = ROOT / ".cache"
    installation = mariadb_installation.find_or_fetch(cache, progress=progress)
    versions = {node_installations.version(node_installations.OWN): node_installations.OWN}
    if not fast:
        versions = node_installations.find_or_fetch(cache, progress=progress)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mysql-jobs-lab-")))
        server = stack.enter_context(MariaDBServer.start(installation, folder / "mariadb", progress=progress))
        with incident_rate.Frozen(server, versions, folder, fast=fast, progress=progress) as frozen:
            outcomes = reproduce(server, folder, fast=fast, progress=progress)
            rates = frozen.thaw()
    example = next((each for each in outcomes[INCIDENT] if each.error), outcomes[INCIDENT][0])
    return Incident(
        observations=tuple(observation(situation, each, fast=fast) for situation, each in outcomes.items()),
        timelines=(timeline(INCIDENT, example, fast=fast), timeline(CURE, outcomes[CURE][0], fast=fast)),
        stack=example.stack,
        rates=rates,
        versions=_versions(installation),
    )


def reproduce(
    server: MariaDBServer,
    folder: Path,
    situations: Sequence[Situation] = SITUATIONS,
    *,
    environments: int = ENVIRONMENTS,
    fast: bool,
    progress: Callable[[str], None],
) -> dict[Situation, list[Outcome]]:
    """Reproduce each situation in several environments of its own, all at the same time; their logs go into `folder`.

    `fast` divides mysqljs' timer (it has an option for it) and all freezes by 10, and omits what has no such option.

    Raises:
        lab.incident_environment.NotStarted: the runtime client does not start.
        lab.incident_bench.NotReproduced: a situation did not occur.
    """
    scale = SCALE if fast else 1
    wanted = [each for each in situations if each.scales or not fast]
    with ExitStack() as stack:
        progress(f"Starting {len(wanted) * environments} environments of Node.js …")
        trials = [
            stack.enter_context(Trial(situation, server, f"function_{n}", folder / f"{n}.log", scale=scale))
            for n, situation in enumerate(wanted * environments)
        ]
        for trial in trials:
            trial.wait_until_ready()
        # The shortest freezes last and first: to be frozen for longer changes nothing for the others.
        for trial in sorted(trials, key=lambda each: -each.situation.frozen_seconds):
            trial.freeze()
        progress(f"Frozen for {max(each.frozen_seconds for each in wanted) / scale:g} s …")
        outcomes: dict[Situation, list[Outcome]] = {each: [] for each in wanted}
        for trial in sorted(trials, key=lambda each: each.situation.frozen_seconds):
            outcomes[trial.situation].append(trial.thaw())
        return outcomes


def observation(situation: Situation, outcomes: Sequence[Outcome], *, fast: bool) -> Observation:
    """Return what was observed of all environments in one situation; `held` and `seconds_blocked` are the highest."""
    distance = f"round trip {situation.round_trip_seconds * 1000:g} ms"
    if not situation.round_trip_seconds:
        distance = "round trip near 0: answer before the freeze"
    scaled = f"; freeze and mysqljs' timer divided by {SCALE}" if fast else ""
    return Observation(
        language="Node.js",
        pattern=situation.pattern,
        situation=f"frozen for {situation.frozen_seconds:g} s, {distance}{scaled}",
        next_run=_summary([each.error or "; ".join(("ok", *each.logged)) for each in outcomes]),
        seconds_blocked=max(each.blocked_seconds for each in outcomes),
        held=max(each.held for each in outcomes),
        still_running=max(each.still_running for each in outcomes),
        repeats=_summary([each.error_after for each in outcomes]),
    )


def _summary(seen: Sequence[str]) -> str:
    kinds = sorted(set(seen))
    if len(kinds) == 1:
        return kinds[0]
    return ", ".join(f"{seen.count(kind)} of {len(seen)}: {kind or 'ok'}" for kind in kinds)


def timeline(situation: Situation, outcome: Outcome, *, fast: bool) -> Timeline:
    """Return what happened to one environment, from the start of the run before its freeze to the end of the next."""
    teardown, timer_seconds = outcome.teardown, QUIT_SECONDS / (SCALE if fast else 1)
    moments: list[tuple[float | None, Actor, str]] = [
        (outcome.began, "Lambda", "a run begins"),
        (outcome.frozen, "Lambda", "freezes the process"),
        (teardown.server_fin_sent, "server", "closes its end: FIN"),
        (teardown.server_fin_delivered, "network", "FIN lies in the function's kernel"),
        (outcome.thawed, "Lambda", "thaws the process for the next run"),
        (
            outcome.ended,
            "function",
            "the timer fires, uncaught: the process ends" if outcome.error else "the run is done",
        ),
    ]
    if teardown.client_fin_sent and teardown.client_fin_sent < outcome.frozen:
        moments.append((teardown.client_fin_sent, "function", "closes its socket"))
    if teardown.quit_sent is not None:
        moments += [
            (teardown.quit_sent, "function", f"sends COM_QUIT, arms a timer of {timer_seconds:g} s"),
            (teardown.quit_sent + timer_seconds, "function", "its timer is due; it is frozen"),
        ]
    events = [
        Event(seconds=at - outcome.began, actor=actor, text=text) for at, actor, text in moments if at is not None
    ]
    return Timeline(pattern=situation.pattern, events=tuple(sorted(events, key=lambda event: event.seconds)))


def _versions(installation: mariadb_installation.Installation) -> dict[str, str]:
    packages = {
        name: json.loads((ROOT / "node_modules" / name / "package.json").read_text())["version"] for name in PACKAGES
    }
    return {
        "Node.js": node_installations.version(node_installations.OWN),
        "MariaDB": installation.version,
        **packages,
    }
