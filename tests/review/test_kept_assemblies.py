"""What was synthesized once is kept: whole or not at all, and not for ever."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from review import kept_assemblies

TEMPLATE = "assembly-basic/Jobs.template.json"


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "kept"
    monkeypatch.setattr(kept_assemblies, "KEPT", folder)
    return folder


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    folder = tmp_path / "assembly"
    for name in ("assembly-basic/manifest.json", TEMPLATE, "asset.1/code.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"the content of {name}")
    return folder


def test_what_is_kept_comes_back_without_the_code_that_would_be_uploaded(assembly: Path, tmp_path: Path) -> None:
    kept_assemblies.keep("one", assembly)
    assert kept_assemblies.restore("one", tmp_path / "again")
    files = {
        str(file.relative_to(tmp_path / "again")): file.read_text()
        for file in (tmp_path / "again").rglob("*")
        if file.is_file()
    }
    assert files == {name: f"the content of {name}" for name in ("assembly-basic/manifest.json", TEMPLATE)}


def test_what_was_never_kept_does_not_come_back(tmp_path: Path) -> None:
    assert not kept_assemblies.restore("one", tmp_path / "again")


def test_no_damage_of_a_kept_file_comes_back(assembly: Path, kept: Path, tmp_path: Path) -> None:
    kept_assemblies.keep("one", assembly)
    file = kept / "one"
    whole = file.read_bytes()
    for place in range(len(whole)):
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]):
            file.write_bytes(damaged)
            assert not kept_assemblies.restore("one", tmp_path / "again")
    assert not (tmp_path / "again").exists()
    kept_assemblies.keep("one", assembly)  # as it is synthesized anew then
    assert file.read_bytes() == whole


def test_those_that_were_not_used_for_longest_go(assembly: Path, kept: Path, tmp_path: Path) -> None:
    names = [str(number) for number in range(kept_assemblies.MOST)]
    for age, name in enumerate(names):
        kept_assemblies.keep(name, assembly)
        os.utime(kept / name, (1e9 + age, 1e9 + age))
    kept_assemblies.restore("0", tmp_path / "again")
    kept_assemblies.keep("new", assembly)
    assert {file.name for file in kept.iterdir()} == {"new", *names} - {"1"}


def test_many_can_be_kept_at_once(assembly: Path, kept: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: kept_assemblies.keep(str(name), assembly), range(200)))
    assert len(list(kept.iterdir())) <= kept_assemblies.MOST + 8  # those that came while another counted
