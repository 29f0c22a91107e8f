"""Import rules: which room may import which, what synth must not reach, and what no file may name."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings.project import ROOT

SCHEDULE = "settings/schedule"
"""How schedules are read: at synth, and, as it is, in the functions' zip. Whoever may import settings may import it."""
ROOMS: dict[str, set[str]] = {
    SCHEDULE: set(),
    "mysql_jobs": {SCHEDULE},
    "packages": set(),
    "packages/tools": {"packages"},
    "settings": {SCHEDULE, "packages"},
    "stacks/network": {"settings"},
    "stacks/database": {"settings", "stacks/network"},
    "stacks/jobs": {"packages", "settings", "stacks/network", "stacks/database"},
    "stacks/watching": {"settings", "stacks/database", "stacks/jobs"},
    "stacks": {"settings", "stacks/network", "stacks/database", "stacks/jobs", "stacks/watching"},
    "app": {"settings", "stacks"},
    "review": {"packages", "packages/tools", "settings"},
    "documents": {"settings", "app", "review"},
    "delivery": {"settings", "review"},
    "adoption": {"settings", "delivery"},
    "scaffold": {"settings"},
    "local": {"packages", "settings", "stacks", "stacks/database", "stacks/jobs", "mysql_jobs"},
    "gameday": {"settings", "app", "stacks", "review", "delivery", "local", "mysql_jobs"},
    "testkit": {"packages", "settings", "stacks/database", "stacks/jobs", "local", "mysql_jobs"},
    "rehearsal": {"settings", "local", "testkit", "mysql_jobs"},
    "lab": {"settings", "stacks/database", "stacks/jobs", "local", "testkit", "mysql_jobs"},
    "benchmarks": {
        "packages",
        "packages/tools",
        "settings",
        "stacks/database",
        "stacks/jobs",
        "documents",
        "local",
        "testkit",
        "lab",
        "mysql_jobs",
    },
}
"""Each room, with the rooms that it may import: all above it, so that there are no circles."""

BROUGHT_ALONG = {"outside/aws.py": {"botocore", "urllib3"}, "outside/web.py": {"urllib3"}}
"""What of the engine needs packages of a job: only runs of jobs that use them import it."""

OUTSIDE = {"boto3", "botocore", "http", "os", "socket", "subprocess", "urllib"}
"""What reads environment variables, starts programs or reaches the network: synth depends on the repository alone."""

EXAMPLES = {"dev", "staging", "prod", "heartbeat", "rollup", "purge_expired"}
"""The team's environments and jobs: a test of the engine that named one would fail when the team removes it."""
TEAMS_TESTS = ("tests/jobs/", "tests/yours/", "tests/snapshots/")


def _modules(room: str) -> list[Path]:
    """The modules of a room, without those of the rooms inside it."""
    base = ROOT / "lambda" if room == "mysql_jobs" else ROOT
    files = sorted((base / room).rglob("*.py")) or [base / f"{room}.py"]
    return [file for file in files if _room(str(file.relative_to(base).with_suffix(""))) == room]


def _room(module: str) -> str | None:
    """The room of a module, given with dots or slashes; None of a module that is in none."""
    path = f"{module.replace('.', '/')}/"
    return max((room for room in ROOMS if path.startswith(f"{room}/")), key=len, default=None)


FILES = [(room, file) for room in ROOMS for file in _modules(room)]


def test_every_room_stands_below_those_that_it_imports() -> None:
    rooms = list(ROOMS)
    for number, (room, imported) in enumerate(ROOMS.items()):
        assert imported <= set(rooms[:number]), room


def test_every_package_is_a_room() -> None:
    packages = {folder.parent.name for folder in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages <= {room.partition("/")[0] for room in ROOMS}


@pytest.mark.parametrize(("room", "file"), FILES, ids=lambda value: getattr(value, "name", value))
def test_a_room_imports_only_what_is_below_it(room: str, file: Path) -> None:
    imported = {_room(module) for module in _imports(file)} - {None, room}
    assert imported - {SCHEDULE} <= ROOMS[room]
    assert SCHEDULE not in imported or {SCHEDULE, "settings"} & ROOMS[room]
    tops = {module.partition(".")[0] for module in _imports(file)}
    assert not tops & {"jobs", "tests"}


def test_a_game_day_on_aws_needs_nothing_of_this_machine() -> None:
    here = {file.name for room, file in FILES if room == "gameday" and "local" in map(_room, _imports(file))}
    assert here == {"local_ground.py"}


@pytest.mark.parametrize("file", [file for room, file in FILES if room == "mysql_jobs"], ids=lambda file: file.name)
def test_the_engine_in_the_zip_imports_pymysql_the_standard_library_and_schedules_only(file: Path) -> None:
    tops = {module.partition(".")[0] for module in _imports(file) if _room(module) != SCHEDULE}
    packages = BROUGHT_ALONG.get(str(file.relative_to(ROOT / "lambda" / "mysql_jobs")), set())
    assert tops - packages <= {"mysql_jobs", "pymysql", *sys.stdlib_module_names}


def test_a_run_of_a_job_that_uses_its_database_only_imports_nothing_for_more() -> None:
    script = "import sys, mysql_jobs.handler; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT / "lambda", capture_output=True, text=True, check=True
    )
    assert not {each for each in done.stdout.split() if each.startswith("mysql_jobs.outside") or each == "http.client"}


def test_what_of_the_settings_is_in_the_zip_imports_the_standard_library_only() -> None:
    assert _modules(SCHEDULE)
    for file in (*_modules(SCHEDULE), ROOT / "settings" / "__init__.py"):
        assert {module.partition(".")[0] for module in _imports(file)} <= set(sys.stdlib_module_names)


SYNTH = [file for room, file in FILES if room == "packages" or room.partition("/")[0] in ("app", "settings", "stacks")]


@pytest.mark.parametrize("file", SYNTH, ids=lambda file: str(file.relative_to(ROOT)))
def test_synth_depends_on_the_repository_alone(file: Path) -> None:
    tops = {module.partition(".")[0] for module in _imports(file)}
    assert not tops & OUTSIDE
    if file.parent == ROOT / "settings":
        assert "aws_cdk" not in tops  # settings are read where nothing is synthesized: `make deploy`, the workflows


def test_no_engine_test_names_an_example_of_the_team() -> None:
    named = []
    for file in _files("tests"):
        if not str(file).startswith(TEAMS_TESTS) and file != Path(__file__).relative_to(ROOT):
            named += [f"{file}: {text}" for text in _texts(file) if _parts(text) & EXAMPLES]
    assert named == []


def test_no_file_names_a_package_registry_or_this_machine() -> None:
    # Put together here, or this file would hold them.
    forbidden = (
        "pypi" + ".org",
        "python" + "hosted",
        "registry." + "npmjs",
        "registry." + "yarnpkg",
        "debian" + ".org",
        str(ROOT),
    )
    patterns = [argument for text in forbidden for argument in ("-e", text)]
    found = subprocess.run(
        ["git", "grep", "--untracked", "--fixed-strings", "--line-number", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (1, "")


def _imports(file: Path) -> set[str]:
    """The modules that a file imports, with those that it may import from a package: mysql_jobs, mysql_jobs.Run."""
    imports = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: write whole names of modules"
            imports |= {f"{node.module}.{alias.name}" for alias in node.names}
    return imports


def _files(folder: str) -> list[Path]:
    """The files in `folder`, whether git tracks them or will."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def _texts(file: Path) -> Iterator[str]:
    """The texts in a module; the lines of another file."""
    source = (ROOT / file).read_text()
    if file.suffix != ".py":
        yield from source.splitlines()
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _parts(text: str) -> set[str]:
    """The words in a text, of paths and names, too: of environments/one.toml and two-Jobs, one, two and others."""
    return set(re.split(r"\W+", re.sub(r"https://\S+|/dev/\w+|requirements-dev", "", text)))
