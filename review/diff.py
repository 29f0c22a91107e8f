"""make diff BASE=main: what this working tree changes, in every environment, as a report."""

from __future__ import annotations

import argparse
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from review.assemblies import assembly
from review.changes import Change, compare
from review.cost import changed_cost
from review.danger import Danger
from review.failure import ReviewFailed
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
      takes protection away, or nobody knows what it does
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
    if any(each.open for each in environments):
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
    title = f"Against {code(base)} ({code(commit[:7])})"
    return environments, markdown(title, environments, code_files, migrations.notes)


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
    reviews = []
    for name in sorted(old.keys() | new.keys()):
        # What the base accepts already belongs to an earlier change of the same resource.
        accepted = _accepted(project, name).items() - _accepted(old_project, name).items()
        reviews.append(
            _environment(
                name,
                old.get(name),
                new.get(name),
                accepted=dict(accepted),
                accept=accept,
                migrations=migrations if name == file_name(name) else (),
                now=now or datetime.now(UTC).replace(second=0, microsecond=0),
            )
        )
    return reviews


def _environment(
    name: str,
    before: SynthesizedEnvironment | None,
    after: SynthesizedEnvironment | None,
    *,
    accepted: Mapping[tuple[str, str | None], str],
    accept: str,
    migrations: Sequence[Danger],
    now: datetime,
) -> EnvironmentReview:
    changes: list[Change] = []
    found: list[Danger] = []
    note = None
    if before and after:
        changes, found = compare(before, after), [*dangers(before, after), *migrations]
    elif before:
        found = left_behind(before)
        note = "is no longer described. It stays deployed: to delete it, run `make destroy` in a checkout of the base"
    elif after:
        # Roles for workflows give access to an account that is in use: a danger although their stage is new.
        nobody = SynthesizedEnvironment(name=name, account=after.account, region=after.region, resources={})
        found = [each for each in dangers(nobody, after) if each.kind == "access"] if name != file_name(name) else []
        note = f"is new: {sum('::' in each.kind for each in after.resources.values())} resources"
    reasons = {
        (each.resource, each.code): reason
        for each in found
        if (reason := accepted.get((each.resource, each.code)) or accepted.get((each.resource, None)) or accept)
    }
    return EnvironmentReview(
        name=name,
        changes=changes,
        dangers=found,
        accepted=reasons,
        note=note,
        cost=changed_cost(before, after) if after else None,
        runs=tuple(changed_runs(before, after, now=now)) if after else (),
    )


def _accepted(project: Path, environment: str) -> dict[tuple[str, str | None], str]:
    """Return the reasons in the environment's file, by resource and code; without one, for all of the resource."""
    file = project / "environments" / f"{file_name(environment)}.toml"
    if not file.is_file():
        return {}
    accepted = tomllib.loads(file.read_text(encoding="utf-8-sig")).get("accept_change", [])
    return {(each["resource"], each.get("danger")): each["reason"] for each in accepted}


if __name__ == "__main__":
    sys.exit(main())
