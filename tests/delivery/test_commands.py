"""make diff, make deploy and make destroy against the local AWS, with the real CDK CLI and the real questions.

The emulator refuses some types, so what is deployed is the environment `local`, localized and fitted. The command line
would deploy it as it is, so its functions are started here by a few lines of Python. Each fixture goes one step
further, as in tests/local/test_changes.py.
"""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from delivery import checks
from delivery.assembly import Assembly
from delivery.aws import Aws
from delivery.refusal import Refused
from local.environment import LocalEnvironment, deployed
from settings.project import ROOT, Project
from tests.working_copy import commit, edit, link_tools, working_copy

pytestmark = pytest.mark.deployment

STARTED = """
import sys
from pathlib import Path
from delivery import command, deploy, destroy, diff, doctor, migrate_resolve, question
from delivery.assembly import Assembly
from delivery.aws import Aws
from local.localized import localized
from settings.files import load_environment
from settings.project import Project

verb, project, folder = sys.argv[1:]
settings = localized(load_environment(Project(Path(project)), "local"))
arguments = settings, Assembly(folder=Path(folder), environment=settings.name), Aws(settings.region)
started = {
    "diff": lambda: diff.diff(*arguments),
    "deploy": lambda: deploy.deploy(*arguments, question.deploy),
    "deploy --yes": lambda: deploy.deploy(*arguments, question.yes),
    "destroy": lambda: destroy.destroy(*arguments, question.destroy),
    "doctor": lambda: doctor.examine(settings, arguments[2]),
    "migrate-resolve": lambda: migrate_resolve.resolve(
        settings, arguments[2], migration="migrations/0003_index.sql", statement="rolled-back"
    ),
}
sys.exit(command.run(started[verb]))
"""

ASKED = re.compile(r"^- Widens access: (\S+), (\S+)$", re.MULTILINE)
"""A danger as it is shown: its resource and its code."""

BAD = "ALTER TABLE pulse ADD INDEX (no_such_column);\n"

Start = Callable[..., "Ended"]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A command that has ended."""

    status: int
    said: str
    schedule: str | None
    """Of the job tally, as it is deployed afterwards."""
    rights: str
    """What the jobs may do in the database, as it is deployed afterwards."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the working tree, committed, with the environments basic and local."""
    folder = working_copy(tmp_path_factory.mktemp("project") / "clone")
    link_tools(folder)
    for name in ("large", "middle"):  # each would cost every synthesis a second
        (folder / "environments" / f"{name}.toml").unlink()
    commit(folder, "all")
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Iterator[LocalEnvironment]:
    folder = tmp_path_factory.mktemp("local")
    with deployed(folder, project=Project(project), name="local", progress=print) as environment:
        yield environment


@pytest.fixture(scope="module")
def variables(environment: LocalEnvironment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """With which everything that looks for AWS finds the emulator."""
    return {
        **environment.emulator.environment(),
        "HOME": str(tmp_path_factory.mktemp("home")),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_VALIDATION": "false",  # half of each synthesis, and nothing that a test here asks for
    }


@pytest.fixture(scope="module")
def start(environment: LocalEnvironment, variables: dict[str, str], project: Path) -> Start:
    """Starts a command; `typed` is typed on a terminal, `piped` comes from a pipe, else there is neither."""

    def start(
        verb: str, *, folder: Path = environment.cli.assembly, typed: str | None = None, piped: str = ""
    ) -> Ended:
        command = [sys.executable, "-c", STARTED, verb, str(project), str(folder)]
        terminal, its_end = pty.openpty()
        os.write(terminal, f"{typed}\n".encode())
        given: dict[str, Any] = {"input": piped} if typed is None else {"stdin": its_end}
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **given,
        )
        os.close(its_end)
        os.close(terminal)
        schedule, rights = _schedule(environment), _rights(environment)
        return Ended(status=done.returncode, said=done.stdout, schedule=schedule, rights=rights)

    return start


@pytest.fixture(scope="module")
def unchanged(start: Start) -> Ended:
    """What is deployed is deployed again."""
    return start("deploy")


@pytest.fixture(scope="module")
def changed(unchanged: Ended, environment: LocalEnvironment, project: Path) -> None:
    """A job's schedule is another one."""
    edit(project / "environments" / "local.toml", "rate(15 minutes)", "rate(30 minutes)")
    environment.synthesize(Project(project), progress=print)


@pytest.fixture(scope="module")
def not_answered(changed: None, start: Start) -> Ended:
    return start("deploy", piped="y\n")


@pytest.fixture(scope="module")
def declined(not_answered: Ended, start: Start) -> Ended:
    return start("deploy", typed="n")


@pytest.fixture(scope="module")
def accepted(declined: Ended, start: Start) -> Ended:
    return start("deploy", typed="y")


@pytest.fixture(scope="module")
def widened(accepted: Ended, environment: LocalEnvironment, project: Path) -> None:
    """A job may do to its table what none could."""
    edit(project / "lambda" / "jobs" / "tally.py", '"event": ("SELECT",)', '"event": ("SELECT", "UPDATE")')
    environment.synthesize(Project(project), progress=print)


@pytest.fixture(scope="module")
def not_said(widened: None, start: Start) -> Ended:
    """As in a workflow: YES=1, and no terminal."""
    return start("deploy --yes", piped="y\n")


@pytest.fixture(scope="module")
def shown(not_said: Ended, start: Start) -> Ended:
    return start("diff")


@pytest.fixture(scope="module")
def said_something_else(shown: Ended, start: Start) -> Ended:
    return start("deploy --yes", typed="y")


@pytest.fixture(scope="module")
def said_on_a_terminal(said_something_else: Ended, start: Start) -> Ended:
    return start("deploy --yes", typed=_asked(said_something_else.said)[1])


@pytest.fixture(scope="module")
def widened_again(said_on_a_terminal: Ended, start: Start, environment: LocalEnvironment, project: Path) -> Ended:
    edit(project / "lambda" / "jobs" / "pulse.py", '("SELECT", "INSERT")', '("SELECT", "INSERT", "UPDATE")')
    environment.synthesize(Project(project), progress=print)
    return start("deploy --yes")


@pytest.fixture(scope="module")
def said_in_the_file(widened_again: Ended, start: Start, project: Path) -> Ended:
    """The block that was printed is written into the environment's file, with a reason."""
    block = widened_again.said[widened_again.said.index("[[accept_change]]") :]
    file = project / "environments" / "local.toml"
    file.write_text(file.read_text() + "\n" + block.replace('reason = ""', 'reason = "it corrects them"'))
    return start("deploy --yes")


@pytest.fixture(scope="module")
def kept(said_in_the_file: Ended, environment: LocalEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the last assembly that could be deployed."""
    return shutil.copytree(environment.cli.assembly, tmp_path_factory.mktemp("kept") / "cdk.out")


@pytest.fixture(scope="module")
def failed(kept: Path, start: Start, environment: LocalEnvironment, project: Path) -> Ended:
    """A migration that fails is deployed, with another schedule."""
    (project / "lambda" / "migrations" / "0003_index.sql").write_text(BAD)
    edit(project / "environments" / "local.toml", "rate(30 minutes)", "rate(45 minutes)")
    environment.synthesize(Project(project), progress=print)
    return start("deploy --yes")


@pytest.fixture(scope="module")
def resolved(failed: Ended, start: Start) -> Ended:
    """Somebody says of the migration that failed what became of it, to the function as it was rolled back."""
    return start("migrate-resolve")


@pytest.fixture(scope="module")
def protected(resolved: Ended, start: Start, environment: LocalEnvironment) -> Ended:
    """Somebody protects a stack by hand, and it shall be destroyed."""
    cloudformation = environment.emulator.client("cloudformation")
    cloudformation.update_termination_protection(StackName="local-Database", EnableTerminationProtection=True)
    ended = start("destroy", piped="local\n")
    cloudformation.update_termination_protection(StackName="local-Database", EnableTerminationProtection=False)
    return ended


@pytest.fixture(scope="module")
def misspelt(protected: Ended, start: Start) -> Ended:
    return start("destroy", piped="locl\n")


@pytest.fixture(scope="module")
def destroyed(misspelt: Ended, start: Start) -> Ended:
    return start("destroy", piped="local\n")


@pytest.fixture(scope="module")
def never_made(destroyed: Ended, start: Start) -> Ended:
    """The environment is deployed from nothing, and the migration fails again."""
    return start("deploy --yes")


def test_what_is_deployed_already_is_not_deployed_again_and_nobody_is_asked(unchanged: Ended) -> None:
    assert unchanged.status == 0
    assert unchanged.said.endswith("Nothing to deploy: local is up to date.\n")


def test_without_a_terminal_the_change_is_shown_and_not_deployed(not_answered: Ended) -> None:
    assert not_answered.status == 70
    assert "`make deploy ENV=local YES=1`" in not_answered.said
    assert _plain(not_answered.said).startswith("Stack local/Jobs ")
    assert re.search(r"\[-\] rate\(15 minutes\)\n.*\[\+\] rate\(30 minutes\)\n", _plain(not_answered.said))
    assert not_answered.schedule == "rate(15 minutes)"


def test_a_diff_has_a_status_of_its_own_for_a_change(not_answered: Ended, start: Start) -> None:
    compared = start("diff")
    assert compared.status == 3
    assert compared.said == not_answered.said.rpartition("There is no terminal")[0]


def test_who_says_no_gets_nothing(declined: Ended) -> None:
    assert declined.status == 70
    assert "Deploy to local (account 000000000000, eu-central-1)? [y/N] " in declined.said
    assert declined.said.endswith("Nothing was done.\n")
    assert declined.schedule == "rate(15 minutes)"


def test_who_says_yes_gets_what_was_shown_and_is_told_where_to_look(accepted: Ended) -> None:
    assert accepted.status == 0
    assert accepted.schedule == "rate(30 minutes)"
    table = accepted.said[accepted.said.index("local, deployed") :]
    assert re.search(r"local-Jobs +UPDATE_COMPLETE ", table)
    assert re.search(r"tally +rate\(30 minutes\) +/aws/lambda/local-tally", table)
    assert "#dashboards/dashboard/local-mysql-jobs\n" in table
    assert "make diff ENV=local\n" in table


def test_the_doctor_examines_the_database_that_the_functions_alone_can_reach(accepted: Ended, start: Start) -> None:
    assert accepted.status == 0
    examined = start("doctor")
    # This machine's server has no time zones, and nothing else is wrong with it.
    assert examined.status == 0, examined.said
    assert "mysql.time_zone_name" in examined.said
    assert "0 of 1 would stop a deploy; docs/doctor.md has all lines, and why." in examined.said


def test_what_was_asked_about_is_not_asked_about_when_it_is_deployed(
    unchanged: Ended, accepted: Ended, said_on_a_terminal: Ended, widened_again: Ended
) -> None:
    assert "What needs a yes" not in unchanged.said + accepted.said
    assert len(ASKED.findall(said_on_a_terminal.said)) == 1
    assert len(ASKED.findall(widened_again.said)) == 1
    assert re.search(r"`UPDATE` on the table `event`", said_on_a_terminal.said)
    assert re.search(r"`UPDATE` on the table `pulse`", widened_again.said)
    assert not re.search(r"`UPDATE` on the table `event`", widened_again.said)


def test_a_danger_is_not_answered_by_yes_and_refused_without_a_terminal(not_said: Ended) -> None:
    assert not_said.status == 70
    resource, code = _asked(not_said.said)
    assert re.search(r"`UPDATE` on the table `event`", not_said.said)
    assert "\n  Not accepted yet.\n" in not_said.said
    block = f'[[accept_change]]\nresource = "{resource}"\ndanger = "{code}"\nreason = ""'
    assert not_said.said.endswith(f"environments/local.toml:\n\n{block}\n")
    assert "UPDATE" not in str([each["tables"] for each in json.loads(not_said.rights).values()])


def test_a_diff_shows_what_a_deploy_would_ask(shown: Ended, not_said: Ended) -> None:
    assert shown.status == 3
    assert not_said.said.startswith(shown.said)


def test_a_danger_is_asked_about_on_a_terminal_also_with_yes(
    said_something_else: Ended, said_on_a_terminal: Ended
) -> None:
    resource, code = _asked(said_something_else.said)
    assert said_something_else.status == 70
    assert f"\n{resource}: is that meant? To say yes, type {code}: " in said_something_else.said
    assert said_something_else.said.endswith("Nothing was done.\n")
    assert said_on_a_terminal.status == 0
    assert said_on_a_terminal.rights != said_something_else.rights


def test_the_file_that_is_deployed_answers_with_the_block_that_was_printed(
    widened_again: Ended, said_in_the_file: Ended
) -> None:
    assert widened_again.status == 70
    assert said_in_the_file.status == 0
    assert "\n  Accepted: it corrects them\n" in said_in_the_file.said
    assert said_in_the_file.rights != widened_again.rights


def test_a_failed_deploy_says_how_the_stacks_are_and_where_help_is(failed: Ended) -> None:
    assert failed.status == 1
    after = failed.said[failed.said.index("The stacks now:") :]
    assert "- local-Jobs (UPDATE_ROLLBACK_COMPLETE) is as it was" in after
    assert "“When a migration fails at deploy”" in after
    assert failed.schedule == "rate(30 minutes)"


def test_a_migration_is_resolved_through_the_function_that_is_deployed(resolved: Ended, start: Start) -> None:
    assert resolved.status == 0
    assert resolved.said == (
        "Noted as rolled-back: migrations/0003_index.sql, statement 1 of 1\n\n"
        "ALTER TABLE pulse ADD INDEX (no_such_column)\n\nNext: `make deploy ENV=local`\n"
    )
    again = start("migrate-resolve")
    assert again.status == 70
    assert again.said == (
        "local-migrate did not note it: migrations/0003_index.sql has no statement that was interrupted or failed; "
        "there are none\n"
    )


def test_what_is_protected_is_not_destroyed_and_the_file_to_edit_is_named(protected: Ended) -> None:
    assert protected.status == 70
    assert "- CloudFormation protects local-Database from being deleted\n" in protected.said
    assert "environments/local.toml" in protected.said
    assert protected.schedule == "rate(30 minutes)"


def test_before_it_is_destroyed_is_said_what_goes_and_what_stays(misspelt: Ended) -> None:
    goes, stays = misspelt.said.split("\nStays")
    assert "the database local-mysql-jobs (db.t4g.micro, 20 GB) with its automated backups" in goes
    assert "the VPC 10.0.0.0/20" in goes
    assert "a final snapshot of the database" in stays


def test_another_name_destroys_nothing(misspelt: Ended) -> None:
    assert misspelt.status == 70
    assert misspelt.said.endswith("That is not its name. Nothing was done.\n")
    assert misspelt.schedule == "rate(30 minutes)"


def test_the_name_destroys_all_stacks_and_what_is_left_is_listed(
    destroyed: Ended, environment: LocalEnvironment
) -> None:
    assert destroyed.status == 0
    assert destroyed.schedule is None
    stacks = environment.emulator.client("cloudformation").describe_stacks()["Stacks"]
    assert not [each["StackName"] for each in stacks if each["StackName"].startswith("local-")]
    left = destroyed.said[destroyed.said.index("Left of local:") :]
    assert re.search(r"- the snapshot local-mysql-jobs-\S+ \(20 GB\), billed\n", left)
    assert "- the log group /aws/lambda/local-Jobs-AWSCDKTrigger" in left  # Lambda made it, not the stack


def test_what_is_gone_is_not_destroyed_again(destroyed: Ended, start: Start) -> None:
    again = start("destroy", piped="local\n")
    assert again.status == 0
    assert again.said.startswith("Nothing to destroy: local is not deployed in account 000000000000, eu-central-1.")


def test_a_first_deploy_that_fails_leaves_a_stack_of_which_there_is_nothing(never_made: Ended) -> None:
    assert never_made.status == 1
    assert "- local-Jobs (ROLLBACK_COMPLETE) could not be created, and is empty" in never_made.said
    assert never_made.schedule is None


def test_what_could_not_be_made_is_made_anew_by_the_next_deploy(
    never_made: Ended, start: Start, environment: LocalEnvironment, kept: Path
) -> None:
    # As CloudFormation keeps the template of what could not be made, `cdk diff` sees no difference in it.
    assert "Stack local-Jobs (ROLLBACK_COMPLETE) could not be created before" in start("diff").said
    again = start("deploy --yes", folder=kept)
    assert again.status == 0
    assert re.search(r"local-Jobs +CREATE_COMPLETE ", again.said)
    assert again.schedule == "rate(30 minutes)"


def test_a_region_that_is_not_bootstrapped_is_refused_with_the_command(
    environment: LocalEnvironment, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assembly = Assembly(folder=environment.cli.assembly, environment="local")
    checks.bootstrapped(Aws("eu-central-1"), assembly)
    with pytest.raises(Refused, match=r"eu-west-1: .*`make bootstrap ENV=local`"):
        checks.bootstrapped(Aws("eu-west-1"), assembly)


def test_credentials_of_another_account_are_refused_with_both_accounts(
    project: Path, variables: dict[str, str]
) -> None:
    done = _make(project, variables, "diff", "ENV=basic")
    assert done.returncode == 2
    assert (
        "are for account 000000000000 (arn:aws:iam::000000000000:root), and basic is in account 111111111111"
        in done.stderr
    )
    assert "environments/basic.toml" in done.stderr


def test_make_diff_shows_what_is_missing_and_ends_well(project: Path, variables: dict[str, str]) -> None:
    # The emulator takes 12 digits for an account.
    of_basic = variables | {"AWS_ACCESS_KEY_ID": "111111111111"}
    done = _make(project, of_basic, "diff", "ENV=basic")
    assert done.returncode == 0, done.stderr
    assert "[+] AWS::RDS::DBInstance Database/Instance " in done.stdout
    assert done.stdout.endswith("Number of stacks with differences: 3\n")  # a first deploy asks about nothing
    itself = [sys.executable, "-m", "delivery.diff", "basic"]
    assert subprocess.run(itself, cwd=project, env=of_basic, capture_output=True, check=False).returncode == 3


def test_make_destroy_of_what_is_not_deployed_ends_well(project: Path, variables: dict[str, str]) -> None:
    done = _make(project, variables | {"AWS_ACCESS_KEY_ID": "111111111111"}, "destroy", "ENV=basic")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Nothing to destroy: basic is not deployed in account 111111111111, eu-central-1.\n")


def test_make_deploy_refuses_what_is_not_committed_then_an_account_that_is_not_bootstrapped(
    project: Path, variables: dict[str, str], destroyed: Ended
) -> None:
    of_basic = variables | {"AWS_ACCESS_KEY_ID": "111111111111"}
    done = _make(project, of_basic, "deploy", "ENV=basic", "YES=1")
    assert done.returncode == 2
    assert "?? lambda/migrations/0003_index.sql\n" in done.stderr
    itself = [sys.executable, "-m", "delivery.deploy", "--yes", "--accept=", "--"]
    ends = [
        subprocess.run([*itself, name], cwd=project, env=of_basic, capture_output=True, check=False).returncode
        for name in ("basic", "no-such", "")
    ]
    assert ends == [70, 2, 2]
    commit(project, "all")
    done = _make(project, of_basic, "deploy", "ENV=basic", "YES=1")
    assert done.returncode == 2
    assert "`make bootstrap ENV=basic`" in done.stderr


def test_make_bootstrap_makes_the_account_ready_that_the_environment_is_in(
    project: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = _make(project, variables, "bootstrap", "ENV=basic")
    assert done.returncode == 2
    assert "basic is in account 111111111111" in done.stderr
    of_basic = variables | {"AWS_ACCESS_KEY_ID": "111111111111"}
    done = _make(project, of_basic, "bootstrap", "ENV=basic")
    assert done.returncode == 0, done.stderr
    for name, value in of_basic.items():
        monkeypatch.setenv(name, value)
    assert Aws("eu-central-1").parameter("/cdk-bootstrap/hnb659fds/version") is not None


def test_make_migrate_resolve_needs_the_account_and_a_function_in_it(project: Path, variables: dict[str, str]) -> None:
    words = ("migrate-resolve", "ENV=basic", "MIGRATION=migrations/0003_index.sql")
    assert "invalid choice: 'done'" in _make(project, variables, *words, "STATEMENT=done").stderr
    done = _make(project, variables, *words, "STATEMENT=applied")
    assert done.returncode == 2
    assert "basic is in account 111111111111" in done.stderr
    done = _make(project, variables | {"AWS_ACCESS_KEY_ID": "111111111111"}, *words, "STATEMENT=applied")
    assert done.returncode == 2
    assert "There is no function basic-migrate: no deploy of basic has gone well. " in done.stderr


def test_make_doctor_needs_the_account_and_a_function_in_it(project: Path, variables: dict[str, str]) -> None:
    done = _make(project, variables, "doctor", "ENV=basic")
    assert done.returncode == 2
    assert "basic is in account 111111111111" in done.stderr
    done = _make(project, variables | {"AWS_ACCESS_KEY_ID": "111111111111"}, "doctor", "ENV=basic")
    assert done.returncode == 2
    assert "There is no function basic-migrate: no deploy of basic has gone well. " in done.stderr


def test_make_delivery_refuses_another_account(project: Path, variables: dict[str, str]) -> None:
    done = _make(project, variables, "delivery", "ENV=basic")
    assert done.returncode == 2
    assert "basic is in account 111111111111" in done.stderr


def _make(project: Path, variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """`make`, which installs nothing, however new the lock files look."""
    command = ["make", "--old-file=.venv/wheels/ready", *arguments]
    inherited = {key: value for key, value in variables.items() if not key.startswith("MAKE")}
    return subprocess.run(command, cwd=project, env=inherited, capture_output=True, text=True, check=False)


def _schedule(environment: LocalEnvironment) -> str | None:
    client = environment.emulator.client("scheduler")
    try:
        found: str = client.get_schedule(Name="local-tally")["ScheduleExpression"]
    except client.exceptions.ResourceNotFoundException:
        return None
    return found


def _rights(environment: LocalEnvironment) -> str:
    client = environment.emulator.client("lambda")
    try:
        function = client.get_function_configuration(FunctionName="local-migrate")
    except client.exceptions.ResourceNotFoundException:
        return ""
    return str(function["Environment"]["Variables"]["RIGHTS"])


def _asked(said: str) -> tuple[str, str]:
    """The one danger that is shown."""
    [(resource, code)] = ASKED.findall(said)
    return resource, code


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
