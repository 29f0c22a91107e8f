"""docs/performance.md, its table and its picture are what the figures give; a line says honestly what was measured."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import document, picture
from benchmarks.__main__ import FIGURES, PICTURE
from benchmarks.figures import Figures, Line, alternating, listed, rounded
from benchmarks.ground import DOCUMENT


@pytest.fixture(scope="module")
def figures() -> Figures:
    return Figures.read(FIGURES)


def test_the_documents_table_is_what_the_figures_say(figures: Figures, tmp_path: Path) -> None:
    copy = tmp_path / "copy.md"
    copy.write_text(DOCUMENT.read_text(encoding="utf-8"), encoding="utf-8")
    document.write(copy, document.markdown(figures))
    assert copy.read_text(encoding="utf-8") == DOCUMENT.read_text(encoding="utf-8"), "make bench"


def test_the_picture_is_what_the_figures_give(figures: Figures) -> None:
    assert PICTURE.read_text(encoding="utf-8") == picture.draw(figures), "make bench"
    assert f"({PICTURE.parent.name}/{PICTURE.name})" in DOCUMENT.read_text(encoding="utf-8")


def test_the_picture_is_xml_for_light_and_dark_and_nothing_leaves_it(figures: Figures) -> None:
    svg = picture.draw(figures)
    root = ElementTree.fromstring(svg)  # noqa: S314 (made here)
    assert "prefers-color-scheme: dark" in svg
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for text in root.findall("{*}text"):
        x, y, wide = float(text.get("x", 0)), float(text.get("y", 0)), 0.55 * float(text.get("font-size", 0))
        length = wide * len(text.text or "")
        left = {"start": x, "middle": x - length / 2, "end": x - length}[text.get("text-anchor", "start")]
        assert left >= 0, text.text
        assert left + length <= width, text.text
        assert 0 < y < height, text.text
    for box in root.findall("{*}rect"):
        assert float(box.get("x", 0)) + float(box.get("width", 0)) <= width


def test_figures_survive_their_file(figures: Figures, tmp_path: Path) -> None:
    figures.write(tmp_path / "figures.json")
    assert Figures.read(tmp_path / "figures.json") == figures


@pytest.mark.parametrize(
    ("ours", "bar", "better", "met"),
    [
        (12.5, 12.5, "less", True),
        (12.51, 12.5, "less", False),
        (150_000, 150_000, "more", True),
        (149_999, 150_000, "more", False),
        (None, 1, "less", None),
        (1, None, "less", None),
    ],
)
def test_a_bar_is_met_or_not_or_unknown(ours: float | None, bar: float | None, better: str, met: bool | None) -> None:
    line = Line(subject="s", unit="ms", ours=ours, bar=bar, better=better)  # type: ignore[arg-type]
    assert line.met is met
    word = {True: "met", False: "not met", None: "unknown" if bar else ""}[met]
    assert document.verdict(line) == word
    assert f"| {word} |" in document.markdown(_figures(line))


def test_a_line_that_is_not_met_is_counted_and_one_without_a_bar_is_not() -> None:
    lines = [Line(subject="s", unit="ms", ours=ours, bar=bar) for ours, bar in ((1, 2), (3, 2), (None, 2), (1, None))]
    assert listed(lines) == (1, 1, 1)
    assert "Bars met: 1; not met: 1; not measured here: 1." in document.markdown(_figures(*lines))


def test_what_could_not_be_had_is_named() -> None:
    line = Line(subject="s", unit="ms", ours=1, bar=2, others={"one": 1.5, "other": None})
    assert "| one 1.50, other ? |" in document.markdown(_figures(line))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123, "0.12"),
        (3.0, "3"),
        (2.5, "2.50"),
        (0, "0"),
        (9.996, "10.0"),
        (61.24, "61.2"),
        (99.96, "100"),
        (149_999.6, "150,000"),
    ],
)
def test_three_digits_of_a_figure_count(value: float, text: str) -> None:
    assert rounded(value) == text


def test_contenders_alternate_and_their_medians_are_compared() -> None:
    order: list[str] = []
    answers = {"one": iter((1.0, 100.0, 2.0)), "other": iter((5.0, 4.0, 3.0))}

    def run(name: str) -> float:
        order.append(name)
        return next(answers[name])

    medians = alternating({name: partial(run, name) for name in answers}, rounds=3)
    assert medians == {"one": 2.0, "other": 4.0}
    assert order == ["one", "other"] * 3


def test_a_document_without_a_marker_is_refused_by_name(tmp_path: Path) -> None:
    for text, missing in ((document.BEGIN, document.END), (document.END, document.BEGIN)):
        file = tmp_path / "document.md"
        file.write_text(text)
        with pytest.raises(document.MarkerMissing, match=re.escape(missing)):
            document.write(file, "")
        assert file.read_text() == text


def _figures(*lines: Line) -> Figures:
    return Figures(date="2026-11-27", machine="2 cores", versions={"MySQL": "9.7.4"}, lines=lines, pieces=())
