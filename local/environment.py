"""The environment `local`, deployed on this machine: MySQL, the emulator and the stacks, up together, gone together."""

from __future__ import annotations

import base64
import io
import json
import secrets
import shutil
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import assembly, mysql_installation, processes, sql
from local.cdk_cli import ROOT, CdkCli, synthesize
from local.emulator import Emulator, credentials
from local.execution_environment import ExecutionEnvironment
from local.mysql_server import MySQLServer
from stacks.environment_files import ENVIRONMENTS, load_environment
from stacks.settings import EnvironmentSettings

NAME = "local"
CACHE = ROOT / ".cache"

Progress = Callable[[str], None]


class JobFailed(Exception):
    """A function ended with an error; the message says which, with what error, and ends with its log."""

    def __init__(self, *, function: str, error: str, log: str) -> None:
        """`error` is its type and message; `log` is the end of what the function logged, its traceback included."""
        super().__init__(f"{function} failed: {error}\n{log}".rstrip())
        self.error = error
        self.log = log


def error_text(document: Mapping[str, Any]) -> str:
    """Type and message of Lambda's error `document`."""
    return f"{document['errorType']}: {document['errorMessage']}"


@dataclass(frozen=True, kw_only=True)
class LocalEnvironment:
    """The deployed environment."""

    settings: EnvironmentSettings
    """Of the project that was deployed first."""
    server: MySQLServer
    emulator: Emulator
    cli: CdkCli
    folder: Path
    database: assembly.LocalDatabase

    def synthesize(self, project: Path, *, progress: Progress) -> None:
        """Put the environment as the folder `project` describes it where `cli` takes it from.

        Raises:
            local.cdk_cli.CommandFailed: the app says why.
        """
        shutil.rmtree(self.cli.assembly)
        synthesize(project, self.cli.assembly)
        assembly.fit(self.cli.assembly / f"assembly-{NAME}", self.database, progress=progress)

    def function_name(self, job: str) -> str:
        """The name of the function that runs `job`, and of its schedule."""
        return f"{self.settings.name}-{job}"

    def invoke(self, function: str, event: object) -> Any:
        """What `function` returns when the emulator runs it.

        Raises:
            JobFailed: it ended with an error.
        """
        answer = self.emulator.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event), LogType="Tail")
        result = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
            raise JobFailed(function=function, error=error_text(result), log=log)
        return result

    def open_connections(self, job: str) -> int:
        """How many connections `job`'s database user has open on the server."""
        function = self.emulator.client("lambda").get_function_configuration(FunctionName=self.function_name(job))
        return self.server.open_connections(function["Environment"]["Variables"]["DATABASE_USER"])

    def execution_environment(self, function: str) -> ExecutionEnvironment:
        """The official runtime client with the code and the variables of the deployed `function`, not yet started."""
        deployed = self.emulator.client("lambda").get_function(FunctionName=function)
        configuration = deployed["Configuration"]
        code = self.folder / f"{function}-code-{secrets.token_hex(4)}"
        with urllib.request.urlopen(deployed["Code"]["Location"]) as answer:  # noqa: S310 (the emulator's address)
            zipfile.ZipFile(io.BytesIO(answer.read())).extractall(code)
        return ExecutionEnvironment(
            code=code,
            handler=configuration["Handler"],
            environment={
                **credentials(self.emulator.region),
                "AWS_ENDPOINT_URL": self.emulator.url,
                **configuration["Environment"]["Variables"],
            },
            function_name=function,
            timeout_seconds=configuration["Timeout"],
            log=code.with_suffix(".log"),
        )


@contextmanager
def deployed(
    folder: Path, *, progress: Progress, project: Path = ROOT, enforce_permissions: bool = False
) -> Iterator[LocalEnvironment]:
    """The environment, deployed with all its files in `folder`; whatever happens, nothing keeps running afterwards.

    `project` is the folder of the app. `enforce_permissions`: see Emulator.start.

    Raises:
        local.mysql_installation.ToolMissing: there is no MySQL server, and none can be fetched.
        local.cdk_cli.CommandFailed: a step of the CDK CLI failed.
    """
    settings = load_environment(ENVIRONMENTS / f"{NAME}.toml")
    installation = mysql_installation.find_or_fetch(CACHE, progress=progress)
    with processes.none_left(), ExitStack() as cleanup:
        progress("Synthesizing every environment …")
        synthesize(project, folder / "cdk.out")
        stage = folder / "cdk.out" / f"assembly-{NAME}"
        server = MySQLServer.start(
            installation, folder / "mysql", settings=assembly.parameters(stage), progress=progress
        )
        cleanup.callback(server.stop)
        progress("Starting the AWS emulator …")
        emulator = Emulator.start(folder / "emulator", region=settings.region, enforce_permissions=enforce_permissions)
        cleanup.callback(emulator.stop)
        database = _replace_rds(settings, server, emulator)
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
        cli = CdkCli(assembly=folder / "cdk.out", emulator=emulator, folder=folder / "cdk")
        progress("cdk bootstrap …")
        cli.bootstrap()
        progress(f'cdk deploy "{NAME}/*" …')
        cli.deploy(NAME)
        yield LocalEnvironment(
            settings=settings, server=server, emulator=emulator, cli=cli, folder=folder, database=database
        )


def _replace_rds(settings: EnvironmentSettings, server: MySQLServer, emulator: Emulator) -> assembly.LocalDatabase:
    """Do what RDS does when it makes an instance: the schema, and a secret with the master user's login."""
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
    )
