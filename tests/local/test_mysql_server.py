from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pymysql
import pytest
import trustme

from local import debian_packages, mysql_installation, mysql_server, processes
from local.mysql_installation import Installation, ToolMissing
from local.mysql_server import MySQLServer
from local.server_start import StartFailed

pytestmark = pytest.mark.integration

CACHE = Path(__file__).parents[2] / ".cache"
HANG_SECONDS = 30
SECURITY = """\
Types: deb
URIs: https://mirror.example/debian-security
Suites: stable-security
Components: main
"""
MAIN = """\
Types: deb deb-src
# https://comment.example/debian
URIs: https://mirror.example/debian
Suites: stable
Components: main contrib
Signed-By: /keys/main.gpg
"""
DISABLED = """\
Enabled: no
Types: deb
URIs: https://disabled.example/debian
Suites: stable
Components: main
"""


@pytest.fixture(scope="module")
def installation() -> Installation:
    return mysql_installation.find_or_fetch(CACHE, progress=print)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mysql") / "server"


@pytest.fixture(scope="module")
def server(installation: Installation, folder: Path) -> Iterator[MySQLServer]:
    settings = {"require_secure_transport": "ON", "wait_timeout": "123"}
    with MySQLServer.start(installation, folder, settings=settings, progress=print) as server:
        yield server


# The login


def test_the_administrator_is_logged_in_over_tls(server: MySQLServer) -> None:
    assert query(server, "SHOW STATUS LIKE 'Ssl_version'")[1].startswith("TLSv1.")


def test_a_client_that_trusts_another_authority_refuses_the_server(server: MySQLServer) -> None:
    context = ssl.create_default_context()
    trustme.CA().configure_trust(context)
    assert isinstance(tls_failure(server, context, host="localhost"), ssl.SSLCertVerificationError)


def test_a_client_that_expects_another_host_refuses_the_server(server: MySQLServer) -> None:
    context = ssl.create_default_context(cafile=server.certificate_authority)
    assert "Hostname mismatch" in str(tls_failure(server, context, host="other.example"))


def test_plaintext_is_refused_where_secure_transport_is_required(server: MySQLServer) -> None:
    query(server, "CREATE USER plain IDENTIFIED BY 'word'")
    assert login_error(server, user="plain", password="word", ssl_disabled=True) == 3159


def test_plaintext_is_always_refused_to_the_administrator(server: MySQLServer) -> None:
    assert login_error(server, user=server.user, password=server.password, ssl_disabled=True) == 1045


def test_root_cannot_log_in_without_a_password(server: MySQLServer) -> None:
    context = ssl.create_default_context(cafile=server.certificate_authority)
    assert login_error(server, user="root", password="", ssl=context) == 1045


def test_the_password_is_neither_shown_nor_left_behind(server: MySQLServer, folder: Path) -> None:
    command_line = subprocess.check_output(["/bin/ps", "-o", "args=", "-ww", "-p", str(server.pid)], text=True)
    files = [file for file in folder.iterdir() if file.is_file()]
    assert all(server.password not in text for text in (repr(server), command_line))
    assert not [file.name for file in files if server.password in file.read_text()]


def test_the_private_key_is_private(server: MySQLServer, folder: Path) -> None:
    assert (folder / "server-key.pem").stat().st_mode & 0o777 == 0o600


# The running server


def test_the_given_settings_are_in_force(server: MySQLServer) -> None:
    assert query(server, "SELECT @@require_secure_transport, @@wait_timeout") == (1, 123)


def test_the_version_is_the_one_that_runs(server: MySQLServer) -> None:
    assert query(server, "SELECT VERSION()")[0].startswith(server.version)


def test_it_listens_on_127_0_0_1_and_nowhere_else(server: MySQLServer) -> None:
    assert processes.listening(server.pid) == {f"127.0.0.1:{server.port}"}


def test_open_connections_are_counted_per_user(server: MySQLServer) -> None:
    query(server, "CREATE USER counted IDENTIFIED BY 'word'")
    counted = replace(server, user="counted", password="word")
    with counted.connect(), counted.connect():
        assert server.open_connections("counted") == 2
        assert server.open_connections("nobody") == 0
    wait_for(lambda: server.open_connections("counted") == 0)


def test_the_connection_that_counts_does_not_count_itself(server: MySQLServer) -> None:
    wait_for(lambda: server.open_connections(server.user) == 0)


def test_stopping_leaves_no_process_no_port_and_no_socket(installation: Installation, tmp_path: Path) -> None:
    server = MySQLServer.start(installation, tmp_path, progress=print)
    server.stop()
    assert not exists(server.pid)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))
    assert not [path for path in tmp_path.rglob("*") if path.is_socket()]
    server.stop()  # once more does no harm


def test_a_port_that_was_taken_meanwhile_is_replaced_by_another(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = processes.free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        ports = iter([other.getsockname()[1], free])
        monkeypatch.setattr(processes, "free_port", lambda: next(ports))
        with MySQLServer.start(installation, tmp_path, progress=print) as server:
            assert server.port == free


def test_a_start_that_fails_shows_the_servers_log_and_leaves_nothing_running(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = processes.free_port()
    monkeypatch.setattr(processes, "free_port", lambda: port)
    with pytest.raises(StartFailed, match="unknown variable 'no_such_setting=1'"):
        MySQLServer.start(installation, tmp_path, settings={"no_such_setting": "1"}, progress=print)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    assert not (tmp_path / "administrator.sql").exists()


def test_a_program_initializes_once_and_each_server_has_an_id_of_its_own(
    server: MySQLServer, installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*command: str, seconds: float) -> str:
        raise AssertionError(f"initialized again: {command}, {seconds}")

    monkeypatch.setattr(processes, "output", refused)
    with MySQLServer.start(installation, tmp_path, progress=print) as other:
        ids = {query(each, "SELECT @@server_uuid") for each in (server, other)}
    assert len(ids) == 2


def test_an_initialization_that_fails_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql_server, "INITIALIZED", tmp_path / "initialized")
    full = Installation(version="9.9.9", launch=(str(program(tmp_path / "full", "sys.exit('the disk is full')")),))
    for _ in range(2):
        with pytest.raises(StartFailed, match=r"MySQL made no data directory: (.*\n)*.*the disk is full"):
            MySQLServer.start(full, tmp_path / "server", progress=print)


def test_a_server_that_does_not_answer_in_time_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = program(
        tmp_path / "silent",
        "if '--initialize-insecure' not in sys.argv: print(os.getpid(), flush=True); time.sleep(600)",
    )
    monkeypatch.setattr("local.server_start.START_SECONDS", 1)
    monkeypatch.setattr(mysql_server, "INITIALIZED", tmp_path / "initialized")
    with pytest.raises(StartFailed) as failure:
        MySQLServer.start(Installation(version="9.9.9", launch=(str(silent),)), tmp_path, progress=print)
    assert not exists(int(str(failure.value).splitlines()[-1]))


# Finding a server


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no program but those of the folder, and with one Debian archive configured."""
    programs = tmp_path / "programs"
    programs.mkdir()
    configure_apt(tmp_path, {"debian.sources": MAIN})
    monkeypatch.delenv("MYSQLD", raising=False)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(mysql_installation, "USUAL_PLACES", ())
    monkeypatch.setattr(debian_packages, "CONFIGURATION", tmp_path / "apt")
    return programs


def test_mysqld_may_name_the_server(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mysqld = program(tmp_path / "mine", "print('mine  Ver 8.4.7 for Linux on x86_64 (Source distribution)')")
    monkeypatch.setenv("MYSQLD", str(mysqld))
    found = mysql_installation.find_or_fetch(tmp_path / "cache", progress=print)
    assert (found.version, found.command("--x")) == ("8.4.7", [str(mysqld), "--no-defaults", "--x"])


@pytest.mark.parametrize("script", [None, "print('hello')", "raise SystemExit('broken')"])
def test_mysqld_pointing_to_nonsense_is_an_error_that_helps(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None
) -> None:
    nonsense = tmp_path / "nonsense" if script is None else program(tmp_path / "nonsense", script)
    monkeypatch.setenv("MYSQLD", str(nonsense))
    with pytest.raises(ToolMissing) as error:
        mysql_installation.find_or_fetch(tmp_path / "cache", progress=print)
    assert all(part in str(error.value) for part in ("MYSQLD", str(nonsense), "brew install mysql"))


def test_a_server_on_the_path_is_used(bare: Path, tmp_path: Path) -> None:
    program(bare / "mysqld", "print('mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))')")
    assert mysql_installation.find_or_fetch(tmp_path / "cache", progress=print).version == "9.7.4"


@pytest.mark.parametrize(
    "version",
    [
        "mysqld  Ver 10.11.14-MariaDB-0+deb12u2 for debian-linux-gnu on x86_64 (Debian 12)",
        "mysqld from 11.8.3-MariaDB, client 15.2 for debian-linux-gnu (x86_64)",
        "mysqld  Ver 8.0.44-0ubuntu0.24.04.1 for Linux on x86_64 ((Ubuntu))",
    ],
)
def test_mariadb_and_older_servers_are_passed_over_with_a_word(bare: Path, tmp_path: Path, version: str) -> None:
    program(bare / "mysqld", f"print({version!r})")
    said: list[str] = []
    with pytest.raises(ToolMissing, match="without apt-get none can be fetched"):
        mysql_installation.find_or_fetch(tmp_path / "cache", progress=said.append)
    assert len(said) == 1
    assert str(bare / "mysqld") in said[0]
    assert version in said[0]


# Fetching one


@pytest.mark.parametrize(
    ("apt_get", "dpkg", "error"),
    [
        pytest.param("sys.exit('E: the network is down')", "", ToolMissing, id="the download fails"),
        pytest.param("os.kill(os.getppid(), signal.SIGINT); time.sleep(60)", "", KeyboardInterrupt, id="Ctrl-C"),
        pytest.param(
            "config = pathlib.Path(sys.argv[2]); (config.parent / 'archives/mysql.deb').touch()",
            "root = pathlib.Path(sys.argv[3]); (root / 'usr/sbin').mkdir(parents=True); "
            "(root / 'usr/sbin/mysqld').touch(); sys.exit('dpkg: no space left')",
            ToolMissing,
            id="unpacking fails halfway",
        ),
    ],
)
def test_an_interrupted_fetch_leaves_nothing_behind(
    bare: Path, tmp_path: Path, apt_get: str, dpkg: str, error: type[BaseException]
) -> None:
    program(bare / "apt-get", apt_get)
    program(bare / "dpkg", dpkg)
    for _ in range(2):  # a later start does not take anything for an installation either
        with pytest.raises(error):
            mysql_installation.find_or_fetch(tmp_path / "cache", progress=print)
        assert list((tmp_path / "cache").iterdir()) == []


def test_a_failed_download_shows_what_apt_said_and_the_ways_out(bare: Path, tmp_path: Path) -> None:
    program(bare / "apt-get", "sys.exit('E: the network is down')")
    program(bare / "dpkg", "")
    with pytest.raises(ToolMissing) as error:
        mysql_installation.find_or_fetch(tmp_path / "cache", progress=print)
    assert all(part in str(error.value) for part in ("E: the network is down", "brew install", "MYSQLD="))


@pytest.mark.parametrize(
    ("files", "address", "keyring"),
    [
        pytest.param(
            {"debian.sources": f"{SECURITY}\n{DISABLED}\n{MAIN}"},
            "https://mirror.example/debian",
            "/keys/main.gpg",
            id="one file, security first",
        ),
        pytest.param(
            {
                "a-vendor.list": "deb [signed-by=/keys/vendor.gpg] https://vendor.example/linux/debian stable stable",
                "b.list": "deb-src http://old.example/debian stable main\n"
                "deb [arch=amd64 signed-by=/keys/old.gpg] http://old.example/debian/ stable main non-free # why",
            },
            "http://old.example/debian/",
            "/keys/old.gpg",
            id="one-line format, a vendor first",
        ),
        pytest.param(
            {"cloud.sources": MAIN.replace("https://mirror.example/debian", "mirror+file:///etc/apt/debian.list")},
            "mirror+file:///etc/apt/debian.list",
            "/keys/main.gpg",
            id="a cloud image",
        ),
        pytest.param(
            {"../sources.list": "deb http://old.example/debian stable main\n"},
            "http://old.example/debian",
            debian_packages.KEYRING,
            id="no keyring named",
        ),
    ],
)
def test_it_is_fetched_from_the_debian_archive_this_machine_uses(
    bare: Path, tmp_path: Path, files: dict[str, str], address: str, keyring: str
) -> None:
    configure_apt(tmp_path, files)
    program(bare / "apt-get", "sys.exit((pathlib.Path(sys.argv[2]).parent / 'archive.sources').read_text())")
    program(bare / "dpkg", "")
    with pytest.raises(ToolMissing) as error:
        mysql_installation.find_or_fetch(tmp_path / "cache", progress=print)
    assert f"URIs: {address}\n" in str(error.value)
    assert f"Signed-By: {keyring}\n" in str(error.value)


def test_where_no_debian_archive_is_configured_the_error_says_so(bare: Path, tmp_path: Path) -> None:
    configure_apt(tmp_path, {"debian.sources": SECURITY})
    program(bare / "apt-get", "")
    program(bare / "dpkg", "")
    with pytest.raises(ToolMissing, match=r"no Debian archive is configured in .*/apt"):
        mysql_installation.find_or_fetch(tmp_path / "cache", progress=print)


# Ending a program


def test_a_program_of_an_earlier_command_is_asked_to_end(tmp_path: Path) -> None:
    polite = program(
        tmp_path / "polite",
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit('goodbye')); print('ready', flush=True); time.sleep(600)",
    )
    log = tmp_path / "log"
    earlier = (
        "import pathlib, sys; from local import processes; "
        "print(processes.start([sys.argv[1]], log=pathlib.Path(sys.argv[2])).pid)"
    )
    root = Path(__file__).parents[2]
    pid = int(subprocess.check_output([sys.executable, "-c", earlier, str(polite), str(log)], cwd=root))
    wait_for(log.read_text)
    processes.stop(pid)
    assert not exists(pid)
    assert log.read_text() == "ready\ngoodbye\n"
    processes.stop(pid)  # once more does no harm


def test_a_program_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    process = processes.start(["sh", "-c", "trap '' TERM; echo ready; while :; do :; done"], log=tmp_path / "log")
    wait_for((tmp_path / "log").read_text)
    processes.stop(process.pid, patience=0.2)
    assert process.returncode == -signal.SIGKILL


def test_a_frozen_program_ends_when_asked(tmp_path: Path) -> None:
    process = processes.start(["sleep", "600"], log=tmp_path / "log")
    os.kill(process.pid, signal.SIGSTOP)
    wait_for(lambda: state(process.pid) == "T")
    processes.stop(process.pid)
    assert process.returncode == -signal.SIGTERM


def test_what_the_program_started_ends_with_it(tmp_path: Path) -> None:
    process = processes.start(["sh", "-c", "sleep 600 & echo $!; wait"], log=tmp_path / "log")
    wait_for((tmp_path / "log").read_text)
    child = int((tmp_path / "log").read_text())
    processes.stop(process.pid)
    wait_for(lambda: not exists(child))


# Helpers


def query(server: MySQLServer, statement: str) -> tuple[Any, ...]:
    """The first row of the statement's result, if it has one."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone() or ()


def login_error(server: MySQLServer, **how: Any) -> int:
    """MySQL's number for the refusal of a login."""
    with pytest.raises(pymysql.OperationalError) as refused:
        pymysql.connect(host=server.host, port=server.port, read_timeout=HANG_SECONDS, **how)
    return int(refused.value.args[0])


def tls_failure(server: MySQLServer, context: ssl.SSLContext, *, host: str) -> object:
    """Why a client that takes the server for `host` does not connect."""
    client = pymysql.connect(
        host=host,
        user=server.user,
        password=server.password,
        ssl=context,
        defer_connect=True,
        read_timeout=HANG_SECONDS,
    )
    connected = socket.create_connection(("127.0.0.1", server.port))
    with connected, pytest.raises(pymysql.OperationalError) as refused:
        client.connect(connected)
    return vars(refused.value)["original_exception"]


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!{sys.executable}\nimport os, pathlib, signal, sys, time\n{script}\n")
    path.chmod(0o755)
    return path


def configure_apt(root: Path, files: dict[str, str]) -> None:
    shutil.rmtree(root / "apt", ignore_errors=True)
    folder = root / "apt/sources.list.d"
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(content)


def exists(pid: int) -> bool:
    return state(pid) not in {"", "Z"}


def state(pid: int) -> str:
    """The process's state, a letter; empty if there is none: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    return ""


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
