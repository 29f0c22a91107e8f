"""`make bench` and `make bench SCALE=1`: every line is printed, and the document, the figures and the picture written.

What they measure is the others' tests; the whole, `python -m benchmarks --fast`, takes two minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import __main__ as bench
from benchmarks import (
    bad_ends,
    document,
    empty_run,
    first_runs,
    growth,
    growth_picture,
    large_tables,
    many_runs,
    packages,
    picture,
    purge,
    starts,
    synthesis,
    together,
    unchanged,
)
from benchmarks.curves import Curve, Growth
from benchmarks.empty_run import DISTANT, LOOPBACK
from benchmarks.figures import Figures, Line, Piece
from benchmarks.together import ENOUGH, FEW, MEASURES

BETWEEN = f"before\n{document.BEGIN}\nold\n{document.END}\namid\n{document.BEGIN_GROWTH}\nold\n{document.END}\nafter\n"
OTHERS = {"PyMySQL": 16.5, "raw sockets": 10.0}
RUNS = [Line(subject=name, unit="ms", ours=12.25, bar=12.5, others=OTHERS) for name in (DISTANT, LOOPBACK)]
PIECES = [Piece(name="login", loopback=2.0, distant=5.0), Piece(name="COMMIT", loopback=1.0, distant=2.0)]


@contextmanager
def _no_server(_: object) -> Iterator[SimpleNamespace]:
    yield SimpleNamespace(version="9.7.4", pid=0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands write to; nothing is measured."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "performance.md").write_text(BETWEEN)
    for module in (bench, growth):
        monkeypatch.setattr(module, "ROOT", tmp_path)
        monkeypatch.setattr(module, "DOCUMENT", tmp_path / "performance.md")
        monkeypatch.setattr(module, "FOLDER", tmp_path)
        monkeypatch.setattr(module, "FIGURES", tmp_path / f"{module.FIGURES.stem}.json")
        monkeypatch.setattr(module, "PICTURE", tmp_path / f"{module.PICTURE.stem}.svg")
        monkeypatch.setattr(module, "with_memory", _no_server)
        monkeypatch.setattr(module, "end_as_on_ctrl_c", lambda: None)
    monkeypatch.setattr(bench, "SUITE", tmp_path / "suite.json")
    for module in (bad_ends, starts, first_runs, synthesis, unchanged, purge):
        line = Line(subject=f"the line of {module.__name__}", unit="ms", ours=7.0, bar=5.0)
        monkeypatch.setattr(module, "measure", lambda *_a, line=line, **_k: [line])
    monkeypatch.setattr(empty_run, "measure", lambda *_a, **_k: (RUNS, PIECES))
    return tmp_path


def _refused(*_: Any, **__: Any) -> Path:
    raise packages.NotInstalled("pip could not fetch requirements.txt: no network")


def test_every_line_is_printed_with_its_bar_and_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks"])
    monkeypatch.setattr(packages, "find_or_fetch", _refused)
    assert bench.main() == 0
    said = capsys.readouterr().out
    assert "Left out: pip could not fetch requirements.txt: no network" in said
    assert "Bars met: 2; not met: 6; not measured: 2." in said
    figures = Figures.read(folder / "figures.json")
    assert len(figures.lines) == 10
    written = (folder / "performance.md").read_text()
    for line in figures.lines:
        assert line.subject in " ".join(said.split())
        assert f"| {line.subject} |" in written
    assert written.startswith("before\n")
    assert "amid\n" in written
    assert (folder / "empty-run.svg").read_text() == picture.draw(figures)


def test_a_fast_run_writes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--fast"])
    monkeypatch.setattr(packages, "find_or_fetch", _refused)
    assert bench.main() == 0
    assert (folder / "performance.md").read_text() == BETWEEN
    assert not (folder / "figures.json").exists()


def test_first_runs_are_measured_alone_and_the_other_lines_stay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_or_fetch", _refused)
    monkeypatch.setattr(sys, "argv", ["benchmarks"])
    assert bench.main() == 0
    before = replace(Figures.read(folder / "figures.json"), date="2026-01-01")
    before.write(folder / "figures.json")
    known = next(line for line in before.lines if "first_runs" in line.subject)
    lines = [replace(known, ours=8.0), Line(subject="a new one", unit="ms", ours=1.0, bar=None, note="why")]
    monkeypatch.setattr(first_runs, "measure", lambda *_a, **_k: lines)
    monkeypatch.setattr(starts, "measure", _refused)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--first-runs"])
    assert bench.main() == 0
    after = Figures.read(folder / "figures.json")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    place = before.lines.index(known)
    assert after.lines[place] == replace(known, ours=8.0, note=f"measured {today}")
    assert after.lines[-1] == replace(lines[1], note=f"why; measured {today}")
    assert [*after.lines[:place], *after.lines[place + 1 : -1]] == [*before.lines[:place], *before.lines[place + 1 :]]
    assert (after.date, after.pieces) == (before.date, before.pieces)
    assert "| a new one | 1 ms |" in (folder / "performance.md").read_text()


def test_growth_is_printed_and_written_beside_the_rest(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measures = dict.fromkeys(MEASURES, (1.0, 2.5))
    curves = [
        Curve(subject=f"at most {limit}", across="environments", sizes=(1, 200), measures=measures)
        for limit in (ENOUGH, FEW)
    ]
    monkeypatch.setattr(together, "measure", lambda *_a, **_k: curves)
    for module in (many_runs, large_tables):
        monkeypatch.setattr(module, "measure", lambda *_a, **_k: [])
    assert growth.main() == 0
    assert "at most 60" in capsys.readouterr().out
    written = (folder / "performance.md").read_text()
    assert f"| {MEASURES[0]} | 1 | 2.50 |" in written
    assert f"{document.BEGIN}\nold\n{document.END}" in written
    found = Growth.read(folder / "growth.json")
    assert found.curves == tuple(curves)
    assert (folder / "growth.svg").read_text() == growth_picture.draw(found)
