"""In a network where only that can be reached which a job's groups and routes lead to, each example does its work."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from documents.synthesis import synthesize
from local.mysql_server import MySQLServer
from packages.target import HERE
from review.templates import SynthesizedEnvironment, read_environments
from settings.files import load_environment
from settings.project import ROOT, Project
from stacks.jobs.bundle import bundle
from testkit.database import Database, new_database
from tests import walled_in
from tests.reachable import Reachable
from tests.working_copy import edit

pytestmark = pytest.mark.integration

Place = tuple[str, int]
REGION = "eu-central-1"
S3, SECRETS = (f"my-exports.s3.{REGION}.amazonaws.com", 443), (f"secretsmanager.{REGION}.amazonaws.com", 443)
QUEUE = (f"sqs.{REGION}.amazonaws.com", 443)
API, OTHER, OTHER_PORT = ("api.billing.example", 443), ("other.example", 443), ("other.example", 8443)
SERVICES = {S3: "s3", SECRETS: "secretsmanager", QUEUE: "sqs"}
PLACES = [*SERVICES, API, OTHER, OTHER_PORT]
"""Where a job might want to go."""
PORT = 13306
"""The database's, in the environment."""
WINDOW = {"start": "2026-11-23T08:00:00Z", "end": "2026-11-23T09:00:00Z"}
SECONDS = 12
NAMESPACE = ("unshare", *(("--user", "--map-root-user") if os.geteuid() else ()), "--net", "--mount")
SCRIPT = """
import json, logging, os, socket, sys, time
sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
from types import SimpleNamespace
def reached(name, port):
    try:
        socket.create_connection((name, port), timeout=0.5).close()
    except OSError:
        return False
    return True
told = {"reached": [place for place in json.loads(os.environ["PLACES"]) if reached(*place)]}
from mysql_jobs import secrets_manager
from mysql_jobs.credentials import Credentials
# The login is by a token on AWS, and needs no way out.
secrets_manager.read_secret = lambda **_: Credentials(os.environ["DATABASE_USER"], os.environ.pop("LOGIN"))
class Listener(logging.Handler):
    def emit(self, record):
        if record.getMessage() == "run":
            told["report"] = {name: getattr(record, name, None) for name in ("outcome", "result", "leaked")}
logging.getLogger("mysql_jobs").addHandler(Listener())
begun = time.monotonic()
context = SimpleNamespace(
    function_name="f",
    aws_request_id="r",
    get_remaining_time_in_millis=lambda: int(1000 * (begun + float(os.environ["SECONDS"]) - time.monotonic())),
)
from mysql_jobs.handler import lambda_handler
try:
    lambda_handler(json.loads(os.environ["EVENT"]), context)
except Exception as error:
    told["error"] = f"{type(error).__name__}: {error}"
told["seconds"] = time.monotonic() - begun
print(json.dumps(told))
"""


@pytest.fixture(scope="module", autouse=True)
def _namespaces(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Root may make one, and most Linux machines let others do so; a container may not."""
    empty = {"places": [["some.example", 443]], "allowed": [], "certificates": {}, "command": ["true"]}
    done = _walled_in(tmp_path_factory.mktemp("namespace"), {**empty, "environment": {}})
    if done.returncode:
        pytest.skip(f"no network namespace can be made here: {done.stderr.strip().splitlines()[-1]}")


@pytest.fixture(scope="module")
def forgetful(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The examples by somebody who states something else than what the jobs reach for."""
    copy = Project(tmp_path_factory.mktemp("forgetful") / "examples")
    shutil.copytree(project.folder, copy.folder)
    stated = '{"s3": {f"{parameters.bucket}/{parameters.prefix}/*": ("PutObject",)}}'
    edit(copy.job_file("export_orders"), stated, '{"secret": ("billing-api",)}')
    edit(copy.job_file("bill_usage"), "(parameters.host,)", '("other.example:8443",)')
    return copy


@pytest.fixture(scope="module")
def deployed(project: Project, tmp_path_factory: pytest.TempPathFactory) -> SynthesizedEnvironment:
    return _synthesized(project, tmp_path_factory.mktemp("cdk.out"))


@pytest.fixture(scope="module")
def deployed_forgetful(forgetful: Project, tmp_path_factory: pytest.TempPathFactory) -> SynthesizedEnvironment:
    return _synthesized(forgetful, tmp_path_factory.mktemp("cdk.out"))


@pytest.fixture
def prepared(server: MySQLServer, project: Project) -> Iterator[Database]:
    with new_database(server, project) as database:
        database.migrate({})
        database.insert("customer_order", [{"customer": "a", "total": 1, "placed_at": "2026-11-23 08:30:00"}])
        database.insert("usage_hourly", [{"hour": "2026-11-23 08:00:00", "customer": "a", "units": 1}])
        yield database


@pytest.mark.parametrize(
    ("job", "places", "result"),
    [
        ("export_orders", {S3}, "rows"),
        # A group knows no names: on port 443, all of the internet, and so AWS, too. There, its role is what restricts
        # it; and run.http calls what is stated.
        ("bill_usage", {SECRETS, API, OTHER, S3, QUEUE}, "billed"),
    ],
)
def test_it_does_its_work_where_only_what_it_states_can_be_reached(
    job: str,
    places: set[Place],
    result: str,
    deployed: SynthesizedEnvironment,
    prepared: Database,
    project: Project,
    tmp_path: Path,
) -> None:
    assert _allowed(deployed, job) == places
    told = _run(job, places, prepared, project, tmp_path)
    assert {tuple(each) for each in told["reached"]} == places
    assert (told["report"]["outcome"], told["report"]["result"][result]) == ("done", 1)
    assert told["report"]["leaked"] == []


@pytest.mark.parametrize(
    ("job", "lacks", "message"),
    [
        ("export_orders", S3, f"{S3[0]}|waited for {S3[0]}:443"),
        ("bill_usage", API, f"can't connect to {API[0]}:443: .*timed out"),
        ("bill_usage", SECRETS, "DeadlineExceeded: .* waited for the secret billing-api"),
    ],
)
def test_where_one_of_its_ways_is_not_there_it_fails_in_time_and_names_it(
    job: str,
    lacks: Place,
    message: str,
    deployed: SynthesizedEnvironment,
    prepared: Database,
    project: Project,
    tmp_path: Path,
) -> None:
    told = _run(job, _allowed(deployed, job) - {lacks}, prepared, project, tmp_path)
    _check_failed(told, message)
    assert told["seconds"] > 1  # nobody said that there is no way


@pytest.mark.parametrize(
    ("job", "places", "message"),
    [
        ("export_orders", {SECRETS}, 'UsesError: USES names no s3: write {"s3": {…}} into it'),
        ("bill_usage", {SECRETS, OTHER_PORT}, "UsesError: USES names no destination api.billing.example:443: write"),
    ],
)
def test_a_job_that_reaches_for_what_it_does_not_state_has_no_way_and_is_told_so(
    job: str,
    places: set[Place],
    message: str,
    deployed_forgetful: SynthesizedEnvironment,
    prepared: Database,
    forgetful: Project,
    tmp_path: Path,
) -> None:
    assert _allowed(deployed_forgetful, job) == places
    told = _run(job, places, prepared, forgetful, tmp_path)
    assert {tuple(each) for each in told["reached"]} == places
    _check_failed(told, re.escape(message))


def _check_failed(told: dict[str, Any], message: str) -> None:
    assert re.search(message, told["error"]), told
    assert (told["report"]["outcome"], told["report"]["leaked"]) == ("failed", [])
    assert told["seconds"] < SECONDS


def _synthesized(project: Project, folder: Path) -> SynthesizedEnvironment:
    return read_environments(synthesize(project, folder, validated=False))["examples"]


def _allowed(environment: SynthesizedEnvironment, job: str) -> set[Place]:
    """The places that the templates let the job through to, besides its database."""
    reachable = Reachable(environment, job)
    assert reachable.database(PORT)
    assert not reachable.database(PORT + 1)
    found = {place for place, service in SERVICES.items() if reachable.service(service, place[1])}
    return found | {place for place in PLACES if place not in SERVICES and reachable.internet(place[1])}


def _run(job: str, allowed: set[Place], database: Database, project: Project, folder: Path) -> dict[str, Any]:
    """Run the job in a namespace of its own; what it said."""
    code = folder / "code"
    bundle(code, project=project, region=REGION, packages=Project(project.folder, target=HERE).packages(job))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    certificates = {}
    for name in {name for name, _port in PLACES}:
        authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.pem")
        certificates[name] = str(folder / f"{name}.pem")
    [settings] = [each for each in load_environment(project, "examples").jobs if each.name == job]
    database.migrate(settings.rights)
    environment = {
        **settings.function_variables,
        "SCHEDULE": "",
        "DATABASE_HOST": "127.0.0.1",
        "DATABASE_PORT": str(PORT),
        "DATABASE_NAME": database.name,
        "DATABASE_ENDPOINT": "instance",
        "DATABASE_CERTIFICATES": str(database.server.certificate_authority),
        "DATABASE_USER": database.user,
        "DATABASE_AUTH": "secret",
        "DATABASE_SECRET": "its login",
        "LOGIN": database.login.password,
        "PATH": os.defpath,
        "LAMBDA_TASK_ROOT": str(code),
        "SSL_CERT_FILE": str(folder / "authority.pem"),
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "of nobody",
        "EVENT": json.dumps({"window": WINDOW}),
        "PLACES": json.dumps(PLACES),
        "SECONDS": str(SECONDS),
    }
    configuration = {
        "places": PLACES,
        "allowed": sorted(allowed),
        "certificates": certificates,
        "command": [sys.executable, "-I", "-c", SCRIPT],
        "environment": environment,
    }
    with _in_a_file(folder / "mysql.sock", database.server.port):
        done = _walled_in(folder, configuration)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _walled_in(folder: Path, configuration: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run the command of the configuration in a namespace of its own, where the socket in `folder` is the database."""
    database = {"database_port": PORT, "database_socket": str(folder / "mysql.sock")}
    file = folder / "configuration.json"
    file.write_text(json.dumps({"folder": str(folder), **database, **configuration}))
    command = [*NAMESPACE, sys.executable, walled_in.__file__, str(file)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


@contextmanager
def _in_a_file(file: Path, port: int) -> Iterator[None]:
    """Within, the socket in this file leads to the server on `port`."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(file))
    listener.listen()
    passing: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                inside, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", port))
                for one, other in ((inside, server), (server, inside)):
                    passing.append(threading.Thread(target=walled_in.pass_on, args=(one, other)))
                    passing[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (accepting, *passing):
            thread.join(30)
