"""The document, its table and its pictures are what the figures give; and the figures are whole."""

import re
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab import incident_rate, pictures, situations, table
from lab.__main__ import DOCUMENT, FIGURES
from lab.bench import PYTHON
from lab.observation import Figures, Observation

SITUATIONS = (
    situations.REAPED,
    situations.RESTARTED,
    situations.FAILED,
    situations.TIMED_OUT,
    situations.FORGOTTEN,
    situations.SWALLOWED,
)


@pytest.fixture(scope="module")
def figures() -> Figures:
    return Figures.read(FIGURES)


def test_the_documents_table_is_what_the_figures_say(figures: Figures, tmp_path: Path) -> None:
    copy = tmp_path / "copy.md"
    copy.write_text(DOCUMENT.read_text(encoding="utf-8"), encoding="utf-8")
    table.write(copy, figures)
    assert copy.read_text(encoding="utf-8") == DOCUMENT.read_text(encoding="utf-8"), "make lab"


def test_the_pictures_are_what_the_figures_give(figures: Figures) -> None:
    for name, svg in pictures.draw(figures).items():
        assert (FIGURES.parent / name).read_text(encoding="utf-8") == svg, "make lab"
        assert f"(lab/{name})" in DOCUMENT.read_text(encoding="utf-8")


def test_the_pictures_are_xml_for_light_and_dark(figures: Figures) -> None:
    for svg in pictures.draw(figures).values():
        assert ElementTree.fromstring(svg).find("{*}title") is not None  # noqa: S314 (made here)
        assert "prefers-color-scheme: dark" in svg
        used = set(re.findall(r'class="([\w-]+)"', svg))
        defined = set(re.findall(r"\.([\w-]+)\{", svg))
        assert used <= defined


def test_no_text_leaves_its_picture(figures: Figures) -> None:
    """Roughly: letters of the wider of the fonts that are named are as wide as 0.53 of their size, on average."""
    for svg in pictures.draw(figures).values():
        root = ElementTree.fromstring(svg)  # noqa: S314 (made here)
        texts = root.findall("{*}text")
        assert texts
        for text in texts:
            size, x = float(text.get("font-size", 0)), float(text.get("x", 0))
            width = 0.53 * size * len(text.text or "")
            match text.get("text-anchor"):
                case "end":
                    assert x - width >= 0
                case "start":
                    assert x + width <= float(root.get("width", 0))


def test_the_figures_have_every_pattern_in_every_situation(figures: Figures) -> None:
    seen = [(each.situation, each.pattern) for each in figures.observations if each.language == "Python"]
    assert sorted(seen) == sorted(product(SITUATIONS, (pattern.name for pattern in PYTHON)))
    assert {each.language for each in figures.observations} == {"Python", "Node.js"}


def test_the_documents_words_are_what_the_figures_say(figures: Figures) -> None:
    incident = next(each for each in figures.observations if "PROTOCOL_SEQUENCE_TIMEOUT" in each.next_run)
    assert incident.pattern == "mysqljs: await end()"
    assert incident.held == 0
    assert any("Quit" in line for line in figures.stack)
    assert all("lab/node" not in line for line in figures.stack)
    ours = [each for each in figures.observations if each.pattern == "this project"]
    assert {(each.held, each.still_running) for each in ours} == {(0, 0)}


def test_the_rates_are_of_every_version_and_distance_and_of_as_many_environments(figures: Figures) -> None:
    versions = dict.fromkeys(rate.node for rate in figures.rates)
    assert [version.partition(".")[0] for version in versions] == ["18", "20", "22", "24", "26"]
    assert [(rate.node, rate.round_trip_seconds) for rate in figures.rates] == list(
        product(versions, incident_rate.ROUND_TRIPS)
    )
    assert {rate.environments for rate in figures.rates} == {incident_rate.ENVIRONMENTS}


def test_each_death_was_posted_for_the_run_before_and_no_handler_had_begun(figures: Figures) -> None:
    died = sum(rate.died for rate in figures.rates)
    assert (sum(rate.refused for rate in figures.rates), sum(rate.began for rate in figures.rates)) == (died, 0)
    assert f"each of the {died} deaths" in DOCUMENT.read_text(encoding="utf-8").replace("\n", " ")


def test_each_version_and_the_date_are_in_the_document(figures: Figures) -> None:
    text = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
    for name, version in figures.versions.items():
        assert f"{name} {version}" in text
    assert f"Measured on {figures.date}" in text


def test_figures_survive_their_file(figures: Figures, tmp_path: Path) -> None:
    figures.write(tmp_path / "figures.json")
    assert Figures.read(tmp_path / "figures.json") == figures


def test_a_document_without_a_marker_is_refused_by_name(figures: Figures, tmp_path: Path) -> None:
    for text, missing in ((table.BEGIN, table.END), (table.END, table.BEGIN)):
        document = tmp_path / "document.md"
        document.write_text(text)
        with pytest.raises(table.MarkerMissing, match=re.escape(missing)):
            table.write(document, figures)
        assert document.read_text() == text


def test_only_patterns_that_fared_alike_share_a_row() -> None:
    def observation(pattern: str, **changes: object) -> Observation:
        base = {
            "language": "Python",
            "pattern": pattern,
            "situation": "a restart",
            "next_run": "ok",
            "seconds_blocked": 0.1,
            "held": 0,
            "still_running": 0,
        }
        return Observation(**{**base, **changes})  # type: ignore[arg-type]

    rows = table.rows(
        [
            observation("a"),
            observation("b", held=1),
            observation("c", seconds_blocked=0.4),
            observation("d", repeats="2013 on every later run"),
            observation("e", still_running=1),
            observation("f", situation="a freeze"),
        ]
    )
    assert [row.patterns for row in rows] == [("a", "c"), ("b",), ("d",), ("e",), ("f",)]
    assert rows[0].seconds_blocked == 0.4
    assert rows[2].next_run == "ok; then 2013 on every later run"
