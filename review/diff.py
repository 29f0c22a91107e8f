"""make diff BASE=main: what this working tree changes, in every environment, as a report."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from review import acceptance
from review.assemblies import assembly
from review.changes import compare
from review.cost import changed_cost
from review.danger import Danger
from review.failure import ReviewFailed
from review.job_packages import changed_packages
from review.judgement import dangers, left_behind
from review.markdown import code
from review.migrations import tried
from review.next_runs import changed_runs
from review.report import EnvironmentReview, markdown
from review.templates import SynthesizedEnvironment, file_name, read_environments
from review.trees import Trees, common_ancestor
from settings.project import ROOT

UNCHANGED, CHANGED, DANGEROUS, FAILED = 0, 3, 4, 70
STATUS = """exit status:
  0   nothing changes
  3   something changes, and nothing in it has to be accepted, or all that has is
  4   something has to be accepted and is not: it loses data, blocks writers, breaks jobs, widens access,
      takes protection away, or nobody knows what it does; or a yes in an environment file is for nothing
  any other: no report. 2: called wrongly; 70: the base or the working tree can't be synthesized (EX_SOFTWARE)
make itself ends with 0 for the first two, and with 2 for all others.
"""


def main() -> int:
    """Print the report and write it into cdk.out/diff.md."""
    parser = argparse.ArgumentParser(
        prog="make diff", description=__doc__, epilog=STATUS, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--base", required=True, help="compare with the last commit that this one and the working tree share"
    )
    parser.add_argument("--accept", default="", metavar="REASON", help="accept all dangers, for this reason")
    arguments = parser.parse_args()
    try:
        environments, report = _report(arguments.base, arguments.accept)
    except ReviewFailed as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    file = ROOT / "cdk.out" / "diff.md"
    file.parent.mkdir(exist_ok=True)
    file.write_text(report)
    sys.stdout.write(report)
    return status(environments)


def status(environments: list[EnvironmentReview]) -> int:
    """The exit status."""
    if any(each.open or each.mistakes for each in environments):
        return DANGEROUS
    return CHANGED if any(each.changed for each in environments) else UNCHANGED


def _report(base: str, accept: str) -> tuple[list[EnvironmentReview], str]:
    commit = common_ancestor(base)
    sys.stderr.write(f"Comparing the working tree with {base} ({commit[:7]}) …\n")
    with tempfile.TemporaryDirectory(prefix="diff-") as name:
        folder = Path(name)
        trees = Trees(folder / "git")
        old, new = trees.of_commit(commit), trees.of_working_tree()
        # Copies: what somebody saves meanwhile is in no assembly. One, if nothing was changed.
        copies = {tree: folder / tree for tree in (old, new)}
        for tree, copy in copies.items():
            trees.check_out(tree, copy)
        assemblies = {tree: folder / f"{tree}.out" for tree in copies}
        with ThreadPoolExecutor() as both:
            trial = both.submit(tried, copies[old], copies[new])
            ends = [both.submit(assembly, tree, copies[tree], assemblies[tree]) for tree in copies]
        for end in ends:
            end.result()
        migrations = trial.result()
        environments = review(
            copies[old], assemblies[old], copies[new], assemblies[new], accept, migrations=migrations.dangers
        )
        code_files = trees.changed_code(old, new)
        packages = list(changed_packages(copies[old], copies[new]))
    title = f"Against {code(base)} ({code(commit[:7])})"
    return environments, markdown(title, environments, code_files, migrations.notes, packages)


def review(
    old_project: Path,
    old_assembly: Path,
    project: Path,
    assembly: Path,
    accept: str = "",
    *,
    migrations: Sequence[Danger] = (),
    now: datetime | None = None,
) -> list[EnvironmentReview]:
    """Review the change of each environment; `accept`, if given, is the reason to accept all dangers.

    The dangers of `migrations` are those of each environment that is deployed already. The next runs of schedules are
    those after `now`.
    """
    old, new = read_environments(old_assembly), read_environments(assembly)
    moment = now or datetime.now(UTC).replace(second=0, microsecond=0)
    stages = [_stage(name, old, new, migrations, moment) for name in sorted(old.keys() | new.keys())]
    came = {file: _asked(stages, file) for file in dict.fromkeys(file_name(each.name) for each in stages)}
    reviews = []
    for file, asked in came.items():
        given = acceptance.entries(old_project, project, file)
        answered = [
            replace(each, accepted=acceptance.accepted(each.dangers, given.new, file, accept))
            for each in stages
            if file_name(each.name) == file
        ]
        still_open = {acceptance.asked(danger, file) for each in answered for danger in each.open}
        syntheses = [some[each.name] for each in answered for some in (old, new) if each.name in some]
        known = acceptance.known_resources(project, file, syntheses, asked)
        # The first is the environment itself, the others are further stages with the same file.
        answered[0] = replace(
            answered[0],
            mistakes=tuple(acceptance.mistakes(file, given, came, still_open=still_open, known=known)),
            done=tuple(acceptance.done(file, given, still_open)),
        )
        reviews += answered
    return reviews


def _asked(stages: Iterable[EnvironmentReview], file: str) -> set[acceptance.Asked]:
    """What is asked in all stages of the environment that `file` describes."""
    return {
        acceptance.asked(danger, file) for each in stages if file_name(each.name) == file for danger in each.dangers
    }


def _stage(
    name: str,
    old: Mapping[str, SynthesizedEnvironment],
    new: Mapping[str, SynthesizedEnvironment],
    migrations: Sequence[Danger],
    now: datetime,
) -> EnvironmentReview:
    """Return what changes, before anybody has said yes to it."""
    before, after = old.get(name), new.get(name)
    if after is None:
        found = left_behind(old[name])
        note = "is no longer described. It stays deployed: to delete it, run `make destroy` in a checkout of the base"
        return EnvironmentReview(name=name, dangers=found, note=note)
    cost, runs = changed_cost(before, after), tuple(changed_runs(before, after, now=now))
    if before is None:
        note = f"is new: {sum('::' in each.kind for each in after.resources.values())} resources"
        return EnvironmentReview(name=name, dangers=_of_new(after, old), note=note, cost=cost, runs=runs)
    tried_here = migrations if name == file_name(name) else ()
    found = [*dangers(before, after), *tried_here]
    return EnvironmentReview(name=name, changes=compare(before, after), dangers=found, cost=cost, runs=runs)


def _of_new(after: SynthesizedEnvironment, old: Mapping[str, SynthesizedEnvironment]) -> list[Danger]:
    """What is dangerous of a new environment: what no other had."""
    if after.name != file_name(after.name):
        # Roles for workflows give access to an account that is in use: a danger although their stage is new.
        return [each for each in _from_nothing(after) if each.kind == "access"]
    others = [_from_nothing(each) for name, each in old.items() if name == file_name(name)]
    had = {(each.resource, each.code) for some in others for each in some}
    return [each for each in _from_nothing(after) if (each.resource, each.code) not in had] if others else []


def _from_nothing(environment: SynthesizedEnvironment) -> list[Danger]:
    return dangers(replace(environment, resources={}), environment)


if __name__ == "__main__":
    sys.exit(main())
