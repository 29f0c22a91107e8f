"""The versions of Node.js for the lab: fetched whole or not at all, and once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lab import node_installations
from lab.node_installations import OWN, PINS, ToolMissing


def unpacked(cache: Path) -> Path:
    """A folder as npm leaves it, with programs that only tell their version."""
    home = cache / "node-versions"
    home.mkdir(parents=True)
    shutil.copy(PINS / "package-lock.json", home)
    for version in ("26.1.0", "18.2.0"):
        program = home / "node_modules" / f"node-{version.partition('.')[0]}-x64" / "bin" / "node"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\necho v{version}\n")
        program.chmod(0o755)
    return home


def test_what_is_there_is_not_fetched_and_comes_oldest_first_with_the_projects_own(tmp_path: Path) -> None:
    unpacked(tmp_path)
    own = node_installations.version(OWN)
    assert list(node_installations.find_or_fetch(tmp_path, progress=pytest.fail)) == ["18.2.0", own, "26.1.0"]


def test_other_pins_are_fetched_anew_and_what_was_there_stays_until_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = unpacked(tmp_path)
    pins = tmp_path / "pins"
    pins.mkdir()
    (pins / "package.json").write_text("{}")
    (pins / "package-lock.json").write_text("no lock file: npm refuses it before it asks anyone")
    monkeypatch.setattr(node_installations, "PINS", pins)
    with pytest.raises(ToolMissing, match="npm could not fetch"):
        node_installations.find_or_fetch(tmp_path, progress=print)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["node-versions", "pins"]
    assert (home / "package-lock.json").read_bytes() == (PINS / "package-lock.json").read_bytes()


def test_every_pin_has_a_hash_and_is_there_for_both_kinds_of_processor() -> None:
    lock = json.loads((PINS / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert all(each["integrity"] and each["optional"] for each in packages.values())
    versions = {
        cpu: sorted(each["version"] for each in packages.values() if each["cpu"] == cpu) for cpu in ("x64", "arm64")
    }
    assert versions["x64"] == versions["arm64"]
    assert len(versions["x64"]) == node_installations.OTHERS
