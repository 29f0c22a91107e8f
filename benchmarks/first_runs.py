"""The first run of an environment, cold start included: of jobs that use nothing, and of those that reach for more."""

from __future__ import annotations

import ssl
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import trustme

from benchmarks.figures import Line
from benchmarks.in_process import PROJECT, event, function_variables
from benchmarks.starts import REGION, least
from lab.fault_web import Peer
from local.emulator import credentials
from local.execution_environment import ExecutionEnvironment
from local.mysql_server import MySQLServer
from packages.locks import PackageSet
from packages.requirements import PackagesError
from packages.target import HERE
from packages.tools.fetch import fetch
from settings.project import ROOT, Project
from stacks.jobs.bundle import bundle
from testkit.database import Database, new_database

EXAMPLES = Project(ROOT / "docs" / "examples", target=HERE)
EXPORT = "export_orders"
"""An example with botocore and pyarrow, whose locked packages these are."""
USES_NOTHING = "nothing"
BY_JOB = {
    "reads_secret": "one that reads a secret by run.secret, without packages",
    "puts_object": "one with botocore: an S3 client, made and used",
    "imports_pyarrow": "one that imports pyarrow and pyarrow.parquet",
}
PACKAGE = {"puts_object": "botocore", "imports_pyarrow": "pyarrow"}
"""Which package a job can't do without."""


def measure(server: MySQLServer, *, rounds: int, progress: Callable[[str], None]) -> list[Line]:
    """Return the lines about first runs: the least processor time of some fresh processes, in turn."""
    try:
        fetch(EXAMPLES.jobs, HERE)
        packages, missing = EXAMPLES.packages(EXPORT), ""
    except PackagesError as error:
        packages, missing = None, str(error)
        progress(f"[yellow]Left out: {missing}[/yellow]")
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name, new_database(server, PROJECT) as database:
        database.migrate({})
        spent = _measure(Path(name), packages, database, rounds)
    progress("First runs, cold starts included")
    nothing = spent[USES_NOTHING]
    lines = [
        Line(
            subject="cold init and first run of a job without USES",
            unit="ms",
            ours=nothing,
            bar=None,
            note="processor time until it is frozen; its login is a secret, whose client all of these import",
        )
    ]
    for job, what in BY_JOB.items():
        milliseconds = spent.get(job)
        lines.append(
            Line(
                subject=f"the same, {what}",
                unit="times",
                ours=None if milliseconds is None else milliseconds / nothing,
                bar=None,
                note=missing if milliseconds is None else _note(job, milliseconds, packages),
            )
        )
    return lines


def _note(job: str, milliseconds: float, packages: PackageSet | None) -> str:
    package = PACKAGE.get(job)
    version = f"; {package} {packages.versions[package]}" if package and packages is not None else ""
    return f"{milliseconds:.0f} ms{version}"


def _measure(folder: Path, packages: PackageSet | None, database: Database, rounds: int) -> dict[str, float]:
    """Milliseconds of processor time, by job."""
    plain, large = folder / "plain", folder / "large"
    bundle(plain, project=PROJECT, region=REGION)
    codes = {USES_NOTHING: plain, "reads_secret": plain}
    if packages is not None:
        bundle(large, project=PROJECT, region=REGION, packages=packages)
        codes |= {"puts_object": large, "imports_pyarrow": large}
    authority = trustme.CA()
    with Peer(authority, ("answer",)) as peer:
        login = f'{{"username": "{database.login.user}", "password": "{database.login.password}"}}'
        peer.secrets = {"secret of/job": login, "billing-api": "the key of the API"}
        variables = {
            **credentials(REGION),
            "AWS_ENDPOINT_URL_S3": peer.url,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": peer.url,
            "SSL_CERT_FILE": str(_authorities(authority, folder)),
        }
        return least(
            {
                job: partial(_first_run, code, job, {**function_variables(database, job), **variables}, folder)
                for job, code in codes.items()
            },
            rounds,
        )


def _authorities(authority: trustme.CA, folder: Path) -> Path:
    """The stand-in's authority beside those of the system, which take their time to be read on Lambda, too."""
    file, system = folder / "authorities.pem", ssl.get_default_verify_paths().cafile
    file.write_bytes((Path(system).read_bytes() if system else b"") + authority.cert_pem.bytes())
    return file


def _first_run(code: Path, job: str, variables: Mapping[str, str], folder: Path) -> float:
    """Milliseconds of processor time that a fresh environment has spent when it is frozen after its first run."""
    with ExecutionEnvironment(
        code=code,
        handler="mysql_jobs.handler.lambda_handler",
        environment=variables,
        function_name=f"benchmark-{job}",
        timeout_seconds=60,
        log=folder / "log",
    ) as environment:
        run = environment.invoke(event())
        if run.error or environment.pid is None:
            raise RuntimeError(f"the first run of {job} failed: {run.error}")
        # The clock of another process, as clock_getcpuclockid(3) makes it: with its threads that have ended.
        return 1000 * time.clock_gettime((~environment.pid << 3) | 2)
