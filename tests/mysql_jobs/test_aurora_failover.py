"""Two servers as an Aurora cluster's writer and reader, behind one name: their roles are swapped under a run."""

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pymysql
import pytest
import trustme

from local import mysql_installation, mysql_server
from local.environment import CACHE
from local.mysql_server import MySQLServer
from mysql_jobs import migrate, migration_files, resolver
from mysql_jobs.credentials import Credentials
from mysql_jobs.deadline import DeadlineExceeded
from mysql_jobs.run import Run
from testkit.function import Context, configured
from tests.mysql_jobs.foreign import execute
from tests.mysql_jobs.function import EIGHT, Function

pytestmark = pytest.mark.integration

ADDRESSES = ("127.0.0.1", "127.0.0.2")
READER = ("--innodb-read-only", "--skip-log-bin")


class Cluster:
    """A writer and a reader of the same data, as far as two servers can be: each swap hands the data over.

    Attributes:
        writer: the server that takes changes.
        reader: the other.
    """

    def __init__(self, first: MySQLServer, folder: Path) -> None:
        """Let `first` be the writer; the name `localhost` leads to it. The reader's data are in `folder`."""
        self.hosts = folder / "hosts"
        second = replace(
            first,
            host=ADDRESSES[1],
            folder=folder / "second",
            command=(
                *(each for each in first.command if not each.startswith(("--datadir=", "--bind-address="))),
                f"--datadir={folder / 'second' / 'data'}",
                f"--bind-address={ADDRESSES[1]}",
            ),
        )
        first.stop()
        shutil.copytree(first.folder / "data", second.folder / "data")
        self._start(writer=replace(first, host=ADDRESSES[0]), reader=second)
        self.lead_to_the_writer()

    def swap(self) -> None:
        """Let the reader be the writer, and the writer a reader; the name leads where it led before."""
        self.stop()
        shutil.rmtree(self.reader.folder / "data")
        shutil.copytree(self.writer.folder / "data", self.reader.folder / "data")
        self._start(writer=self.reader, reader=self.writer)

    def _start(self, *, writer: MySQLServer, reader: MySQLServer) -> None:
        self.writer = writer._launch(writer.port)
        self.reader = reader._launch(writer.port, *READER)

    def lead_to_the_writer(self) -> None:
        """Change the address of the name, as the cluster's endpoint does some seconds after a failover."""
        self.hosts.write_text(f"{self.writer.host} localhost\n")

    def stop(self) -> None:
        """Stop both."""
        self.writer.stop()
        self.reader.stop()


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setattr(mysql_server, "_make_certificates", _make_certificates)
    installation = mysql_installation.find_or_fetch(CACHE, progress=print)
    settings = {"innodb_flush_method": "nosync"}
    first = MySQLServer.start(installation, tmp_path / "first", settings=settings, progress=print)
    execute(first, "CREATE DATABASE jobs", "CREATE TABLE jobs.work (id INT AUTO_INCREMENT PRIMARY KEY, at DATETIME)")
    cluster = Cluster(first, tmp_path)
    monkeypatch.setattr(resolver, "HOSTS", str(cluster.hosts))
    yield cluster
    cluster.stop()


@pytest.fixture
def function(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Function]:
    monkeypatch.setitem(migration_files.FOLDERS, "project", tmp_path / "none")
    server = cluster.writer
    variables = {
        "AWS_REGION": "eu-central-1",
        "DATABASE_HOST": "localhost",
        "DATABASE_PORT": str(server.port),
        "DATABASE_NAME": "jobs",
        "DATABASE_ENDPOINT": "instance",
        "DATABASE_CERTIFICATES": str(server.certificate_authority),
        "DATABASE_USER": server.user,
        "DATABASE_AUTH": "secret",
        "DATABASE_SECRET": "master",
        "RIGHTS": '{"pulse":{"user":"job_pulse","connections":3,"tables":{"work":"INSERT"}}}',
        "JOBS_AUTH": "secret",
        "JOBS_SECRETS": "jobs/",
        "JOB": "pulse",
        "MAX_WINDOW_MINUTES": "60",
    }
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    ours = Credentials("job_pulse", "a password of ours")
    secrets = {"master": Credentials(server.user, server.password), "jobs/pulse": ours}
    with configured({}, secrets):
        migrate.lambda_handler({}, Context.of("test-migrate", "request-1", seconds=60))
        monkeypatch.setenv("DATABASE_USER", "job_pulse")
        monkeypatch.setenv("DATABASE_SECRET", "jobs/pulse")
        yield Function(Context.of("test-pulse", "request-1", seconds=60), monkeypatch)


def _works(meanwhile: Callable[[], object] = lambda: None) -> Callable[[Run], dict[str, Any]]:
    def job(run: Run) -> dict[str, Any]:
        with run.cursor() as cursor:
            cursor.execute("INSERT INTO work (at) VALUES (%s)", (run.scheduled_time,))
            meanwhile()
            cursor.execute("SELECT @@GLOBAL.innodb_read_only")
            return {"reader": cursor.fetchall()[0][0]}

    return job


def test_a_run_that_meets_a_failover_is_done_once_on_the_new_writer(function: Function, cluster: Cluster) -> None:
    before = cluster.writer.host
    function.do(_works(cluster.swap))
    function.fail(pymysql.err.OperationalError)
    assert cluster.writer.host != before
    # The retry: the name still leads to what is a reader now, and some time later to the writer.
    function.do(_works())
    follows = threading.Timer(1, cluster.lead_to_the_writer)
    follows.start()
    report = function.deliver(EIGHT)
    follows.join()
    assert (report["outcome"], report["result"]) == ("done", {"reader": 0})
    assert report["attempts"] > 1
    assert function.deliver(EIGHT)["outcome"] == "duplicate"
    assert execute(cluster.writer, "SELECT COUNT(*) FROM jobs.work") == [(1,)]


def test_a_reader_says_so_by_no_other_variable_and_is_given_up_at_the_deadline(
    function: Function, cluster: Cluster
) -> None:
    cluster.swap()
    assert execute(cluster.reader, "SELECT @@read_only, @@super_read_only, @@innodb_read_only") == [(0, 0, 1)]
    function.context.end = Context.of("", "", seconds=2).end
    with pytest.raises(DeadlineExceeded, match="the server is read-only, as after a failover"):
        function.deliver(EIGHT)
    assert execute(cluster.writer, "SELECT COUNT(*) FROM jobs.ledger") == [(0,)]


def test_through_a_proxy_a_reader_is_refused_too(
    function: Function, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.swap()
    monkeypatch.setenv("DATABASE_ENDPOINT", "proxy")
    function.context.end = Context.of("", "", seconds=2).end
    with pytest.raises(DeadlineExceeded, match="the server is read-only, as after a failover"):
        function.deliver(EIGHT)


def _make_certificates(folder: Path) -> None:
    """One for all names that the two servers have."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", *ADDRESSES)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "server.pem")
    certificate.private_key_pem.write_to_path(folder / "server-key.pem")
