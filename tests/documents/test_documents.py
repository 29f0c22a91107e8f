"""What the documents tell people to type is right, and a test or the CI types it, too, where AWS isn't needed."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from local.mysql_server import MySQLServer
from scaffold.upgrade import YOURS
from settings.job_module import read_job_module
from settings.project import ROOT, Project
from testkit.database import new_database
from testkit.job import Job
from tests.documents import aws_commands
from tests.documents.documents import (
    DOCUMENTS,
    MARKS,
    NEEDS_AWS,
    README,
    README_IS_A_TEAMS,
    RUN_BY,
    Block,
    blocks,
    commands,
)
from tests.fixture import load_file

SHELL = [block for block in blocks() if block.is_shell]
MAKEFILE = (ROOT / "Makefile").read_text()
ON_AWS = r"\bmake (adopt|bootstrap|delivery|deploy|destroy|diff ENV|doctor|gameday(?! ENV=local)|migrate-resolve)\b"
NEEDS_CREDENTIALS = re.compile(rf"\baws [a-z]|\bcdk (bootstrap|deploy|destroy|diff)\b|{ON_AWS}")
VARIABLES = {"E": "large", "JOB": "tally", "HOME": "/nonexistent"}
"""What the first block of docs/operations.md sets."""

about_the_readme = pytest.mark.skipif(README_IS_A_TEAMS, reason="README.md is the team's own")


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_every_shell_block_says_what_it_needs(block: Block) -> None:
    assert block.kind == "sh", "write ```sh, and the commands without a prompt"
    assert block.mark in MARKS, f"begin with one of {MARKS}"
    assert (block.mark == NEEDS_AWS) == (NEEDS_CREDENTIALS.search(block.text) is not None)


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_every_shell_block_is_one(block: Block) -> None:
    checked = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("block", [block for block in SHELL if "aws " in block.text], ids=str)
def test_every_aws_command_in_a_block_has_what_the_service_takes(block: Block, tmp_path: Path) -> None:
    (tmp_path / "query.txt").write_text("fields @timestamp\n")
    found = aws_commands.recorded(block.text, tmp_path, VARIABLES)
    assert found
    assert [mistake for arguments in found for mistake in aws_commands.mistakes(arguments)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_aws_command_in_the_text_is_one_of_the_service(document: Path) -> None:
    mentioned = [shlex.split(code)[1:] for code in _inline(document) if re.match(r"aws [a-z]+ [a-z]", code)]
    assert [text for words in mentioned for text in aws_commands.mistakes(words, whole=False)] == []


@pytest.mark.parametrize(
    ("command", "mistake"),
    [
        ("rds describe-db-instance", "aws rds has no describe-db-instance"),
        ("rdss describe-db-instances", "there is no service rdss"),
        ("rds wait db-instance-ready", "aws rds has no db-instance-ready"),
        ("rds describe-db-instances --db-instance x", "aws rds describe-db-instances: there is no --db-instance"),
        ("sqs purge-queue", "aws sqs purge-queue: --queue-url is missing"),
        ("sqs purge-queue --queue-url", "aws sqs purge-queue: --queue-url has no value"),
        ("lambda invoke --function-name x", "aws lambda invoke: []: 1 file names"),
        (
            "scheduler get-schedule --name x --query [Sate]",
            "aws scheduler get-schedule: the answer has no Sate, which --query asks for",
        ),
        (
            "cloudwatch describe-alarms --state-value ALERT",
            "aws cloudwatch describe-alarms: --state-value is one of OK, ALARM, INSUFFICIENT_DATA, not ALERT",
        ),
    ],
)
def test_a_wrong_aws_command_is_found(command: str, mistake: str) -> None:
    assert list(aws_commands.mistakes(command.split())) == [mistake]


def test_a_block_that_uses_what_nobody_set_is_found(tmp_path: Path) -> None:
    with pytest.raises(aws_commands.ShellFailed, match="JOB: unbound variable"):
        aws_commands.recorded('aws lambda get-function --function-name "$E-$JOB"', tmp_path, {"E": "basic"})


def test_every_command_that_runs_here_is_run_by_a_test_or_the_ci() -> None:
    assert {command: where for command, where in commands().items() if command not in RUN_BY} == {}


def test_every_target_of_make_that_the_text_names_and_that_runs_here_is_run() -> None:
    here = {code for document in DOCUMENTS for code in _inline(document) if not re.search(ON_AWS, code)}
    named = {target for code in here for target in re.findall(r"^make ([a-z]+)", code)}
    assert named <= {target for command in RUN_BY for target in re.findall(r"^make ([a-z]+)", command)}


@pytest.mark.parametrize(("command", "where"), RUN_BY.items())
def test_what_runs_a_command_does_so(command: str, where: str) -> None:
    """It names the command, or the module behind it; or the command runs it; or the command is part of `make test`."""
    words = re.sub(r"""[\s"',\[\]]+""", " ", (ROOT / where).read_text()) + " "
    target = [*command.split(), "help"][1]
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    recipe = found[1] if found else ""
    modules = [f"{module} " for module in re.findall(r"python (-m [\w.]+)", recipe) if module != "-m pytest"]
    begins_test = re.search(rf"^test:.*\b{target}\b", MAKEFILE, re.MULTILINE)
    selects_tests = recipe.startswith("\t@$(PYTEST) -m ")
    in_test = where == ".ci/run" and (begins_test or selects_tests)
    named = any(text in words for text in (re.sub(r"=.*", "=", f"{command} "), *modules))
    assert named or in_test or where in recipe, f"{where} doesn't run {command}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    code = [*_inline(document), *(block.text for block in SHELL if block.document == str(document.relative_to(ROOT)))]
    named = {target for text in code for target in re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)", text)}
    assert named <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    for file, anchor in _links(document):
        target = document.parent / file if file else document
        assert target.exists(), f"{document.name}: {file}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            assert anchor in {_anchor(each) for each in headings}, f"{document.name}: {file}#{anchor}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_no_link_leads_to_a_file_that_is_yours(document: Path) -> None:
    """It may be gone: a team deletes the examples, and writes its own README."""
    targets = [(document.parent / file).resolve().relative_to(ROOT) for file, _anchor in _links(document) if file]
    assert [each for each in targets if any(each.is_relative_to(path) for path in YOURS)] == []


def test_upgrade_names_all_that_is_yours() -> None:
    text = (ROOT / "docs" / "upgrade.md").read_text()
    assert [path for path in YOURS if not re.search(rf"`{re.escape(path)}/?`", text)] == []


def test_the_newest_release_in_the_changelog_is_the_projects_version() -> None:
    newest, *_ = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", _prose(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert newest == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@about_the_readme
def test_the_readme_shows_the_picture() -> None:
    assert "](docs/architecture.svg)" in README.read_text()


@about_the_readme
def test_the_readme_fits_into_180_lines() -> None:
    assert len(README.read_text().splitlines()) < 180


@about_the_readme
@pytest.mark.parametrize(
    "words",
    ["idempotent", "backoff", "advisory lock", "least privilege", "Lost connection", "Too many connections"],
)
def test_the_readme_has_the_words_that_people_search_for(words: str) -> None:
    assert words.lower() in " ".join(README.read_text().lower().split())


@about_the_readme
def test_the_environment_and_the_job_in_the_readme_are_valid(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "archive_invoices.py").write_text(_in_the_readme("def run("))
    file = tmp_path / "large.toml"
    file.write_text(_in_the_readme("[[jobs]]"))
    [job] = load_file(file).jobs
    assert job.name == "archive_invoices"


@about_the_readme
def test_the_job_in_the_readme_has_its_rights_and_passes_the_linter(tmp_path: Path) -> None:
    file = tmp_path / "archive_invoices.py"
    file.write_text(_in_the_readme("def run("))
    rights = {"invoice": frozenset({"SELECT", "DELETE"}), "invoice_archive": frozenset({"INSERT"})}
    assert read_job_module(file).read_rights(None) == rights
    configuration = str(ROOT / "pyproject.toml")
    for check in (["check"], ["format", "--check"]):
        command = [str(Path(sys.executable).with_name("ruff")), *check, "--config", configuration, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@about_the_readme
@pytest.mark.integration
def test_the_job_in_the_readme_passes_the_tests_in_the_documents(server: MySQLServer, tmp_path: Path) -> None:
    project = Project(tmp_path)
    for folder in (project.jobs, project.migrations):
        folder.mkdir(parents=True)
    project.job_file("archive_invoices").write_text(_in_the_readme("def run("))
    (project.migrations / "0001_invoice.sql").write_text(_block("docs/jobs.md", "CREATE TABLE"))
    written: dict[str, Any] = {}
    exec(_block("docs/jobs.md", "def test_"), written)  # noqa: S102 (a text of this repository)
    tests = [value for name, value in written.items() if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        with new_database(server, project) as database:
            database.migrate({})
            test(Job(project, database), database)


def _in_the_readme(text: str) -> str:
    return _block("README.md", text)


def _block(document: str, text: str) -> str:
    """Return the only block of `document` with `text`."""
    [block] = [each for each in blocks() if each.document == document and text in each.text]
    return block.text


def _prose(document: Path) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)


def _links(document: Path) -> list[tuple[str, str]]:
    """Return the file and the heading of each link to a file of the project."""
    without_code = re.sub(r"`[^`\n]*`", "", _prose(document))  # a pattern looks like a link
    return re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", without_code)


def _inline(document: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", _prose(document))


def _anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
