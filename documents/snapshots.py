"""What a project deploys, as files to be reviewed: `make snapshots` writes them into tests/snapshots/.

Before, it settles in which stack each new job is. Per stack its template, what is in the functions' zip, the picture of
the largest environment, the tables of access.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from documents.access import tables
from documents.picture.arrows import architecture
from documents.picture.drawing import svg
from documents.synthesis import synthesize
from review.jobs_stacks import in_one_stack
from review.templates import file_name, read_environments
from settings.files import SettingsError
from settings.job_users import RIGHTS_FILE
from settings.names import WATCH, function
from settings.placement import settle, stack_name
from settings.project import ROOT, Project
from settings.watched_jobs import WATCHED_FILE

FOLDER = ROOT / "tests" / "snapshots"
OURS = ("jobs", "migrations", "mysql_jobs", "settings")
"""The folders of a zip that are the engine's and the team's."""
UNINFORMATIVE = (("Parameters", "BootstrapVersion"), ("Rules", "CheckBootstrapVersion"))
"""The CDK's own checks, the same in each template."""


def main() -> None:
    """Settle where new jobs are, write the snapshots of the team's environments, and delete those of what is gone."""
    project = Project(ROOT)
    for name in project.environment_names():
        settle(project, name, before=accepted_places(name))
    with tempfile.TemporaryDirectory(prefix="snapshots-") as folder:
        try:
            current = snapshots(synthesize(project, Path(folder)))
        except SettingsError as error:
            sys.exit(str(error))
    FOLDER.mkdir(exist_ok=True)
    for name in accepted().keys() - current.keys():
        (FOLDER / name).unlink()
    for name, text in current.items():
        (FOLDER / name).write_text(text)
    sys.stdout.write(
        f"{FOLDER.relative_to(ROOT)}: {len(current)} files. Review them: git diff {FOLDER.relative_to(ROOT)}\n"
    )


def accepted() -> dict[str, str]:
    """The snapshots as they were last accepted, by file name."""
    return {file.name: file.read_text() for file in FOLDER.glob("[!.]*")} if FOLDER.is_dir() else {}


def accepted_places(environment: str) -> dict[str, list[str]]:
    """Where the environment's jobs were when it was last accepted: in the first stack, until a file says otherwise."""
    files = accepted()
    stacks = takewhile(lambda stack: f"{environment}-{stack}.json" in files, map(stack_name, count(1)))
    return {stack: list(_scheduled(json.loads(files[f"{environment}-{stack}.json"]), environment)) for stack in stacks}


def _scheduled(template: Mapping[str, Any], environment: str) -> Iterator[str]:
    for each in template.get("Resources", {}).values():
        if each["Type"] == "AWS::Scheduler::Schedule" and each["Properties"]["Name"] != function(environment, WATCH):
            yield each["Properties"]["Name"].removeprefix(function(environment, ""))


def snapshots(assembly: Path) -> dict[str, str]:
    """The snapshots of a synthesized app, by file name; none of one without environments."""
    stages = {name: in_one_stack(each) for name, each in read_environments(assembly).items()}
    if not stages:
        return {}
    drawn = {name: architecture(each) for name, each in stages.items() if name == file_name(name)}
    largest = max(drawn.values(), key=lambda each: sum(each.stacks.values()))
    return {
        **{f"{stack}.json": _json(_readable(template)) for stack, template in _templates(assembly)},
        "function-code.json": _json(dict(_code(assembly))),
        "architecture.svg": svg(largest, list(drawn.values()) if len(drawn) > 1 else ()),
        "access.md": tables(stages.values()),
    }


def _templates(assembly: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """By the names of the stacks."""
    for manifest in sorted(assembly.glob("assembly-*/manifest.json")):
        for artifact in json.loads(manifest.read_text())["artifacts"].values():
            if artifact["type"] == "aws:cloudformation:stack":
                properties = artifact["properties"]
                yield properties["stackName"], json.loads((manifest.parent / properties["templateFile"]).read_text())


def _code(assembly: Path) -> Iterator[tuple[str, str]]:
    """Each file of ours in the functions' zips, and its hash, and each package, and its version.

    Those of the templates are left out: these say what changed.
    """
    for folder in sorted(each.parent for each in assembly.glob("asset.*/mysql_jobs")):
        for file in sorted(each for each in folder.rglob("*") if each.is_file()):
            place = file.relative_to(folder)
            if str(place) in (RIGHTS_FILE, WATCHED_FILE) or place.parts[0] in OURS:  # all others are of packages
                yield str(place), hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        for package in folder.glob("*.dist-info"):
            name, _, version = package.name.removesuffix(".dist-info").partition("-")
            yield name, version


def _readable(template: Mapping[str, Any]) -> Any:
    """The template without what says nothing about what is deployed: hashes of code, the CDK's own notes and checks."""
    kept = {key: dict(value) if isinstance(value, dict) else value for key, value in template.items()}
    for section, name in UNINFORMATIVE:
        kept.get(section, {}).pop(name, None)
    return _without_notes({key: value for key, value in kept.items() if value})


def _without_notes(value: Any) -> Any:
    match value:
        case dict():
            notes = {
                key: each
                for key, each in value.get("Metadata", {}).items()
                if not key.startswith(("aws:cdk", "aws:asset"))
            }
            own = {key: each for key, each in value.items() if key != "Metadata"} | (
                {"Metadata": notes} if notes else {}
            )
            return {_without_hash(key): _without_notes(each) for key, each in own.items()}
        case list():
            return [_without_notes(each) for each in value]
        case str():
            return _without_hash(value)
        case _:
            return value


def _without_hash(text: str) -> str:
    text = re.sub(r"[0-9a-f]{64}(?=\.(zip|json))", "<hash>", text)
    # A function's version is named for the hash of its code and settings.
    return re.sub(r"(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}", r"\1<hash>", text)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
