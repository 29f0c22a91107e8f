"""What a synthesis costs: of the engine's own project, of one more environment, and of many jobs."""

from __future__ import annotations

import shutil
import tempfile
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.children import Cost, Failed, run
from benchmarks.figures import Line
from settings.placement import settle
from settings.project import ROOT, Project

ENGINES_OWN = Project(ROOT / "tests" / "project")
MANY_JOBS = 1000
SOME_JOBS = (10, 20)


def measure(*, rounds: int, many_jobs: bool, progress: Callable[[str], None]) -> list[Line]:
    """Return the lines about synthesis. `many_jobs` takes minutes."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        environments = len(ENGINES_OWN.environment_names())
        larger = Project(folder / "larger")
        shutil.copytree(ENGINES_OWN.folder, larger.folder)
        one = larger.environments / "large.toml"
        text = one.read_text(encoding="utf-8")
        settings = tomllib.loads(text)
        text = text.replace(settings["network"]["cidr"], "10.200.0.0/20").replace(settings["account"], "999999999999")
        one.with_name("larger.toml").write_text(text, encoding="utf-8")
        runs: dict[str, Callable[[], Cost]] = {
            "floor": partial(run, "benchmarks.synth_floor", str(environments), str(folder / "floor")),
            "ours": partial(_synth, ENGINES_OWN, folder / "ours"),
            "larger": partial(_synth, larger, folder / "one-more"),
        }
        costs: dict[str, list[Cost]] = {which: [] for which in runs}
        if rounds > 1:
            for work in runs.values():
                work()  # fills the caches
        for _ in range(rounds):
            for which, work in runs.items():
                costs[which].append(work())
        # The least: whatever else happens here can only add to it.
        seconds = {which: min(cost.seconds for cost in some) for which, some in costs.items()}
        calls = int(costs["ours"][-1].printed)
        progress("Syntheses")
        return [
            Line(
                subject=f"synth of {environments} environments, beside empty stacks with the same imports",
                unit="times",
                ours=seconds["ours"] / seconds["floor"],
                bar=1.5,
                note=f"{seconds['ours']:.2f} s / {seconds['floor']:.2f} s of processor time; {calls:,} jsii calls",
            ),
            Line(
                subject="one more environment",
                unit="s",
                ours=max(0.0, seconds["larger"] - seconds["ours"]),
                bar=0.3,
                note="processor time",
            ),
            *_jobs(folder, many_jobs=many_jobs, progress=progress),
        ]


def _jobs(folder: Path, *, many_jobs: bool, progress: Callable[[str], None]) -> list[Line]:
    few, more = (_synth(_with_jobs(folder / f"jobs-{count}", count), folder / f"out-{count}") for count in SOME_JOBS)
    per_job = (more.seconds - few.seconds) / (SOME_JOBS[1] - SOME_JOBS[0])
    line = Line(
        subject="synth: each further job",
        unit="ms",
        ours=1000 * per_job,
        bar=None,
        note=f"processor time, from {SOME_JOBS[0]} to {SOME_JOBS[1]} jobs of one environment",
    )
    reached: float | None = None
    note = "not tried: make bench without FAST=1"
    if many_jobs:
        try:
            cost = _synth(_with_jobs(folder / "many", MANY_JOBS), folder / "out-many")
            reached, note = MANY_JOBS, f"{cost.seconds:.0f} s of processor time"
        except Failed as error:
            reached, note = SOME_JOBS[1], f"{MANY_JOBS:,} are refused: {str(error).strip().rpartition(chr(10))[2]}"
        progress(f"{MANY_JOBS:,} jobs in an environment")
    return [
        Line(subject="jobs per environment", unit="jobs", ours=reached, bar=MANY_JOBS, better="more", note=note),
        line,
    ]


def _with_jobs(folder: Path, count: int) -> Project:
    """A project of one environment with so many jobs, all of which do the same."""
    project = Project(folder)
    shutil.copytree(ENGINES_OWN.folder, folder)
    for file in project.environments.glob("*.toml"):
        if file.stem != "large":
            file.unlink()
    [file] = project.environments.glob("*.toml")
    settings, _, jobs = file.read_text(encoding="utf-8").partition("[[jobs]]")
    first = tomllib.loads(f"[[jobs]]{jobs}")["jobs"][0]["name"]
    names = [f"job_{number}" for number in range(count)]
    for name in names:
        shutil.copy(project.job_file(first), project.job_file(name))
    # A class that has enough connections for all of them.
    entries = "".join(f'[[jobs]]\nname = "{name}"\nschedule = "rate(1 day)"\n\n' for name in names)
    file.write_text(settings.replace("m7g.large", "r7g.16xlarge") + entries, encoding="utf-8")
    settle(project, file.stem, before={})
    return project


def _synth(project: Project, folder: Path) -> Cost:
    return run("benchmarks.synth_once", str(project.folder), str(folder))
