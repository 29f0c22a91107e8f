"""An environment, deployed on this machine: MySQL, the emulator and the stacks, up together, gone together."""

from __future__ import annotations

import base64
import io
import json
import secrets
import shutil
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import assembly, mysql_installation, processes, sql
from local.cdk_cli import CdkCli, synthesize
from local.emulator import Emulator, credentials
from local.execution_environment import ExecutionEnvironment
from local.existing_tables import make_existing_tables
from local.leftovers import Leftovers
from local.localized import localized
from local.mysql_server import MySQLServer
from local.run_report import error_text
from local.used_by_jobs import make_what_jobs_use
from settings import names
from settings.environment import AdoptedDatabaseSettings, EnvironmentSettings
from settings.files import SettingsError, load_environment
from settings.migrations import migration_mistakes
from settings.project import ROOT, Project

CACHE = ROOT / ".cache"
FUNCTION_SECONDS = 960
"""Longer than any function may take: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

Progress = Callable[[str], None]


class JobFailed(Exception):
    """A function ended with an error; the message says which, with what error, and ends with its log."""

    def __init__(self, *, function: str, error: str, log: str) -> None:
        """`error` is its type and message; `log` is the end of what the function logged, its traceback included."""
        super().__init__(f"{function} failed: {error}\n{log}".rstrip())
        self.error = error
        self.log = log


@dataclass(frozen=True, kw_only=True)
class LocalEnvironment:
    """The deployed environment."""

    settings: EnvironmentSettings
    """Localized; as they were at the first deploy."""
    server: MySQLServer
    emulator: Emulator
    cli: CdkCli
    folder: Path
    database: assembly.LocalDatabase

    def synthesize(self, project: Project, *, progress: Progress) -> None:
        """Synthesize the environment as `project` describes it, where `cli` takes it from.

        Raises:
            local.cdk_cli.CommandFailed: the app says why.
        """
        shutil.rmtree(self.cli.assembly)
        synthesize(project, self.settings.name, self.cli.assembly)
        assembly.fit(self.cli.assembly / f"assembly-{self.settings.name}", self.database, progress=progress)

    def function_name(self, job: str) -> str:
        """Return the name of the function that runs `job`, and of its schedule."""
        return names.function(self.settings.name, job)

    def invoke(self, function: str, event: object) -> Any:
        """Run `function` in the emulator and return its result.

        Raises:
            JobFailed: it ended with an error.
        """
        answer = self.emulator.client("lambda", read_timeout=FUNCTION_SECONDS).invoke(
            FunctionName=function, Payload=json.dumps(event), LogType="Tail"
        )
        result = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
            raise JobFailed(function=function, error=error_text(result), log=log)
        return result

    def variables(self, function: str) -> dict[str, str]:
        """Return the environment variables of the deployed `function`, and what makes the emulator its AWS."""
        configuration = self.emulator.client("lambda").get_function_configuration(FunctionName=function)
        return {
            **credentials(self.emulator.region),
            "AWS_ENDPOINT_URL": self.emulator.url,
            **configuration["Environment"]["Variables"],
        }

    def leftovers(self, job: str) -> Leftovers:
        """Return what tells how many connections of the job's user its next run leaves open."""
        return Leftovers(self.server.connect, names.database_user(self.settings.name, job))

    def execution_environment(self, function: str) -> ExecutionEnvironment:
        """Return the official runtime client with code and variables of the deployed `function`, not yet started."""
        deployed = self.emulator.client("lambda").get_function(FunctionName=function)
        configuration = deployed["Configuration"]
        code = self.folder / f"{function}-code-{secrets.token_hex(4)}"
        with urllib.request.urlopen(deployed["Code"]["Location"]) as answer:  # noqa: S310 (the emulator's address)
            zipfile.ZipFile(io.BytesIO(answer.read())).extractall(code)
        return ExecutionEnvironment(
            code=code,
            handler=configuration["Handler"],
            environment=self.variables(function),
            function_name=function,
            timeout_seconds=configuration["Timeout"],
            log=code.with_suffix(".log"),
        )


@contextmanager
def deployed(
    folder: Path, *, project: Project, name: str, progress: Progress, enforce_permissions: bool = False
) -> Iterator[LocalEnvironment]:
    """Deploy the environment `name` of `project`, with all its files in `folder`; afterwards, nothing keeps running.

    `enforce_permissions`: see Emulator.start.

    Raises:
        settings.files.SettingsError: its file is wrong, or the name of a migration.
        local.mysql_installation.ToolMissing: there is no MySQL server, and none can be fetched.
        local.cdk_cli.CommandFailed: a step of the CDK CLI failed.
    """
    if mistakes := list(migration_mistakes(project.migrations)):
        raise SettingsError("\n".join(mistakes))
    settings = localized(load_environment(project, name))
    installation = mysql_installation.find_or_fetch(CACHE, progress=progress)
    with processes.none_left(), ExitStack() as cleanup:
        progress(f"Synthesizing {name} …")
        synthesize(project, name, folder / "cdk.out")
        stage = folder / "cdk.out" / f"assembly-{name}"
        server = MySQLServer.start(
            installation, folder / "mysql", settings=assembly.parameters(stage), progress=progress
        )
        cleanup.callback(server.stop)
        progress("Starting the AWS emulator …")
        emulator = Emulator.start(folder / "emulator", region=settings.region, enforce_permissions=enforce_permissions)
        cleanup.callback(emulator.stop)
        database = _replace_rds(settings, server, emulator)
        with server.connect() as connection, connection.cursor() as cursor:
            make_existing_tables(cursor, project, settings.database.name)
        sql.write_login(
            folder,
            host=server.host,
            port=server.port,
            user=server.user,
            password=server.password,
            authority=server.certificate_authority,
            database=settings.database.name,
        )
        assembly.fit(stage, database, progress=progress)
        make_what_jobs_use(emulator, settings.jobs, progress=progress)
        cli = CdkCli(assembly=folder / "cdk.out", emulator=emulator, folder=folder / "cdk")
        progress("cdk bootstrap …")
        cli.bootstrap()
        progress(f'cdk deploy "{name}/*" …')
        cli.deploy(name)
        yield LocalEnvironment(
            settings=settings, server=server, emulator=emulator, cli=cli, folder=folder, database=database
        )


def _replace_rds(settings: EnvironmentSettings, server: MySQLServer, emulator: Emulator) -> assembly.LocalDatabase:
    """Make what RDS makes with an instance, or what would be there: the schema, and a secret with the admin's login."""
    name = settings.database.name
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{name}`")
    secret = emulator.client("secretsmanager").create_secret(
        Name="rds!local-master", SecretString=json.dumps({"username": server.user, "password": server.password})
    )
    return assembly.LocalDatabase(
        host=server.host,
        port=server.port,
        certificates=server.certificate_authority,
        master_secret=secret["ARN"],
        in_place_of=_in_place_of(settings, server.host, secret["ARN"]),
    )


def _in_place_of(settings: EnvironmentSettings, host: str, secret: str) -> dict[str, str]:
    match settings.database:
        case AdoptedDatabaseSettings(existing=existing):
            return {existing.endpoint: host, existing.login: secret}
    return {}
