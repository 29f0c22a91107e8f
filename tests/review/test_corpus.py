"""Whether `make diff` tells the truth, change by change: what needs a yes is asked about, and nothing else is.

The cases are tables in tests/review/corpus/, written from what AWS does, and not from what the review knows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from documents.synthesis import synthesize
from local.made_once import made_once
from review.changes import compare
from review.danger import Danger
from review.judgement import dangers
from review.templates import SynthesizedEnvironment
from tests.fixture import VARIANTS, FilesIn
from tests.review.corpus import CASES
from tests.review.corpus.case import Case, Draft

NEED_A_YES = [case for case in CASES if case.asked]
HARMLESS = [case for case in CASES if not case.asked]

Base = Callable[[str], tuple[Draft, SynthesizedEnvironment]]


@pytest.fixture(scope="session")
def base(assembly: Path, shared: Path) -> Base:
    """The templates of an environment by name: of the fixture's project, or of its variants."""
    variants = made_once(shared, "variants.out", lambda folder: synthesize(FilesIn(VARIANTS), folder))

    @cache
    def base(name: str) -> tuple[Draft, SynthesizedEnvironment]:
        folder = assembly if (assembly / f"assembly-{name}").exists() else variants
        draft = Draft.of(folder, name)
        return draft, draft.read()

    return base


@pytest.mark.parametrize("case", NEED_A_YES, ids=lambda case: case.name)
def test_what_needs_a_yes_is_asked_about(case: Case, base: Base) -> None:
    found, listed = _review(case, base)
    assert _asked(case, found), f"wanted {set(case.asked)} of {case.names}; {_told(found)}; listed: {listed}"


@pytest.mark.parametrize("case", HARMLESS, ids=lambda case: case.name)
def test_what_is_harmless_is_not_asked_about(case: Case, base: Base) -> None:
    found, listed = _review(case, base)
    assert not found, _told(found)
    assert listed or not case.listed, "it is not even listed"


def test_nothing_is_asked_about_where_nothing_changed(base: Base) -> None:
    for name in {case.base for case in CASES}:
        draft, environment = base(name)
        assert dangers(environment, draft.read()) == []
        assert compare(environment, draft.read()) == []


def test_the_corpus_is_large_and_no_case_is_in_it_twice() -> None:
    assert len(NEED_A_YES) >= 150
    assert len(HARMLESS) >= 45
    names = [case.name for case in CASES]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_scoreboard(base: Base) -> None:
    """At most one in fifty is wrong either way, and nothing is invisible. The cases say which."""
    asked = listed = invisible = alarms = 0
    for case in NEED_A_YES:
        found, changes = _review(case, base)
        asked += _asked(case, found)
        listed += not _asked(case, found) and bool(found or changes)
        invisible += not found and not changes
    for case in HARMLESS:
        found, changes = _review(case, base)
        alarms += bool(found)
        invisible += case.listed and not found and not changes
    score = (
        f"{len(NEED_A_YES)} need a yes: {asked} asked about, {listed} only listed; {invisible} invisible; "
        f"{len(HARMLESS)} harmless: {alarms} false alarms"
    )
    assert asked >= 0.98 * len(NEED_A_YES), score
    assert alarms <= 0.02 * len(HARMLESS), score
    assert invisible == 0, score


@cache
def _review(case: Case, base: Base) -> tuple[list[Danger], list[str]]:
    """The dangers of a case, and the resources in the list of changes; asked once, as there are hundreds of cases."""
    draft, before = base(case.base)
    if case.given:
        draft = draft.edited(case.given)
        before = draft.read()
    after = draft.edited(case.edit).read()
    return dangers(before, after), [f"{each.resource.path} {each.how}" for each in compare(before, after)]


def _asked(case: Case, found: list[Danger]) -> bool:
    return any(each.kind in case.asked and any(name in each.resource for name in case.names) for each in found)


def _told(found: list[Danger]) -> str:
    return "; ".join(f"{each.kind} {each.resource}: {each.text}" for each in found) or "no danger"
