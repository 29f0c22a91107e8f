from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lab import mariadb_installation
from lab.mariadb_installation import ToolMissing
from local import debian_packages

MARIADB = "mariadbd  Ver 10.11.14-MariaDB-0+deb12u2 for debian-linux-gnu on x86_64 (Debian 12)"
MYSQL = "mariadbd  Ver 9.7.4 for Linux on x86_64 (Source distribution)"


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no program but those in the folder usr/sbin, and with no archive configured."""
    programs = tmp_path / "usr/sbin"
    programs.mkdir(parents=True)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(mariadb_installation, "USUAL_PLACES", ())
    monkeypatch.setattr(debian_packages, "CONFIGURATION", tmp_path / "apt")
    return programs


def test_an_installed_server_is_used_with_the_system_tables_beside_it(bare: Path, tmp_path: Path) -> None:
    mariadbd = program(bare / "mariadbd", f"print({MARIADB!r})")
    tables = system_tables(tmp_path / "usr/share/mysql", "mysql")
    found = mariadb_installation.find_or_fetch(tmp_path / "cache", progress=print)
    assert (found.version, found.launch[0], found.system_tables) == ("10.11.14", str(mariadbd), tables)


@pytest.mark.parametrize(
    ("script", "tables"),
    [
        pytest.param(f"print({MARIADB!r})", False, id="without its system tables"),
        pytest.param(f"print({MYSQL!r})", True, id="MySQL under another name"),
        pytest.param("raise SystemExit('broken')", True, id="one that does not run"),
    ],
)
def test_what_is_no_complete_mariadb_is_passed_over_with_a_word(
    bare: Path, tmp_path: Path, script: str, tables: bool
) -> None:
    program(bare / "mariadbd", script)
    if tables:
        system_tables(tmp_path / "usr/share/mariadb", "mariadb")
    said: list[str] = []
    with pytest.raises(ToolMissing):
        mariadb_installation.find_or_fetch(tmp_path / "cache", progress=said.append)
    assert len(said) == 1
    assert str(bare / "mariadbd") in said[0]


def test_without_apt_the_error_says_so_and_what_to_install(bare: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match=r"No MariaDB server, and without apt-get .*\nInstall MariaDB"):
        mariadb_installation.find_or_fetch(tmp_path / "cache", progress=print)


def test_without_an_archive_the_error_says_so(bare: Path, tmp_path: Path) -> None:
    program(bare / "apt-get", "")
    program(bare / "dpkg", "")
    with pytest.raises(ToolMissing, match=r"no Debian archive is configured in .*/apt"):
        mariadb_installation.find_or_fetch(tmp_path / "cache", progress=print)


def test_a_download_that_unpacks_to_nothing_leaves_nothing_behind(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "apt").mkdir()
    (tmp_path / "apt/sources.list").write_text("deb http://mirror.example/debian stable main\n")
    program(bare / "apt-get", "")
    program(bare / "dpkg", "")
    with pytest.raises(ToolMissing, match="has no MariaDB server"):
        mariadb_installation.find_or_fetch(tmp_path / "cache", progress=print)
    assert list((tmp_path / "cache").iterdir()) == []


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!{sys.executable}\n{script}\n")
    path.chmod(0o755)
    return path


def system_tables(folder: Path, name: str) -> tuple[Path, Path]:
    folder.mkdir(parents=True)
    files = (folder / f"{name}_system_tables.sql", folder / f"{name}_system_tables_data.sql")
    for file in files:
        file.touch()
    return files
