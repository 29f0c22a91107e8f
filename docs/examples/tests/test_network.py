"""In a network in which only what a job's security groups let out can be reached, each example does its work."""

from __future__ import annotations

import json
import os
import re
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
from settings.files import load_environment
from settings.project import ROOT, Project
from stacks.jobs.bundle import bundle
from testkit.database import Database, new_database
from tests import walled_in
from tests.conftest import read_templates

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a network namespace"),
]

Place = tuple[str, int]
REGION = "eu-central-1"
S3, SECRETS = f"my-exports.s3.{REGION}.amazonaws.com", f"secretsmanager.{REGION}.amazonaws.com"
API, OTHER = "api.billing.example", "other.example"
PLACES: dict[Place, str] = {
    (S3, 443): "s3",
    (SECRETS, 443): "secrets",
    (API, 443): "the internet, port 443",
    (OTHER, 443): "the internet, port 443",
    (OTHER, 8443): "the internet, port 8443",
    (f"sqs.{REGION}.amazonaws.com", 443): "sqs",
}
"""Where a job might want to go, and by which way."""
WINDOW = {"start": "2026-11-23T08:00:00Z", "end": "2026-11-23T09:00:00Z"}
SCRIPT = """
import json, os, socket, sys
sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
from types import SimpleNamespace
def reached(name, port):
    try:
        socket.create_connection((name, port), timeout=5).close()
    except OSError:
        return False
    return True
told = {"reached": [place for place in json.loads(os.environ["PLACES"]) if reached(*place)]}
from mysql_jobs import secrets_manager
from mysql_jobs.credentials import Credentials
# The login is by a token on AWS, and needs no way out.
secrets_manager.read_secret = lambda **_: Credentials(os.environ["DATABASE_USER"], os.environ.pop("LOGIN"))
context = SimpleNamespace(
    function_name="f", aws_request_id="r", get_remaining_time_in_millis=lambda: 30_000
)
from mysql_jobs.handler import lambda_handler
try:
    told["report"] = lambda_handler(json.loads(os.environ["EVENT"]), context)
except Exception as error:
    told["error"] = f"{type(error).__name__}: {error}"
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def allowed(project: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[Place]]:
    """The places that the groups of each job's function let it out to, by the job; as its template says."""
    out = synthesize(project, tmp_path_factory.mktemp("cdk.out"), validated=False)
    resources: dict[str, Any] = read_templates(out)["examples"]["Jobs"]["Resources"]
    found = {}
    for function in (each["Properties"] for each in resources.values() if each["Type"] == "AWS::Lambda::Function"):
        if (job := function.get("Environment", {}).get("Variables", {}).get("JOB")) is not None:
            groups = [each["Fn::GetAtt"][0] for each in function["VpcConfig"]["SecurityGroupIds"]]
            ways = {resources[each]["Properties"]["GroupDescription"].removeprefix("Jobs that use ") for each in groups}
            found[job] = {place for place, way in PLACES.items() if way in ways}
    return found


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
        ("export_orders", {(S3, 443)}, "rows"),
        # A security group knows no names: the whole internet on this port. What run.http calls is another matter.
        ("bill_usage", {(SECRETS, 443), (API, 443), (OTHER, 443)}, "billed"),
    ],
)
def test_it_does_its_work_where_only_what_it_states_can_be_reached(
    job: str, places: set[Place], result: str, allowed: Any, prepared: Database, project: Project, tmp_path: Path
) -> None:
    assert allowed[job] == places
    told = _run(job, places, prepared, project, tmp_path)
    assert {tuple(each) for each in told["reached"]} == places
    assert (told["report"]["outcome"], told["report"]["result"][result]) == ("done", 1)
    assert told["report"]["leaked"] == []


@pytest.mark.parametrize(
    ("job", "lacks", "message"),
    [
        ("export_orders", (S3, 443), f"Could not connect|{S3}"),
        ("bill_usage", (API, 443), f"can't connect to {API}:443: .*unreachable"),
        ("bill_usage", (SECRETS, 443), f"Secrets Manager at {SECRETS} did not answer for billing-api: .*unreachable"),
    ],
)
def test_without_one_of_its_ways_it_fails_and_names_it(
    job: str, lacks: Place, message: str, allowed: Any, prepared: Database, project: Project, tmp_path: Path
) -> None:
    told = _run(job, allowed[job] - {lacks}, prepared, project, tmp_path)
    assert re.search(message, told["error"]), told


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
        "DATABASE_PORT": "13306",
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
        "PLACES": json.dumps(list(PLACES)),
    }
    configuration = {
        "folder": str(folder),
        "allowed": sorted(allowed),
        "other": sorted(PLACES.keys() - allowed),
        "certificates": certificates,
        "database_port": 13306,
        "database_socket": str(folder / "mysql.sock"),
        "command": [sys.executable, "-I", "-c", SCRIPT],
        "environment": environment,
    }
    (folder / "configuration.json").write_text(json.dumps(configuration))
    command = ["unshare", "--net", "--mount", sys.executable, walled_in.__file__, str(folder / "configuration.json")]
    with _in_a_file(folder / "mysql.sock", database.server.port):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


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
