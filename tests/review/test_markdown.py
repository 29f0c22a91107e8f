"""Whatever others wrote stays text: read by a parser of CommonMark, no value becomes more than code."""

import html
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from review.changes import Change
from review.cost import CostChange
from review.danger import Danger
from review.difference import Difference
from review.markdown import code, codes, fenced, prose, summary, visible
from review.next_runs import changed_runs
from review.report import HEADINGS, EnvironmentReview, markdown
from review.templates import Resource, SynthesizedEnvironment
from settings.spelling import as_written

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
"""As GitHub's, but for what GitHub makes of plain text: test_nothing_but_plain_words_is_outside_of_code."""

PIECES = (
    "`", "``", "```", "~~~", "\n", "\r", "\n\n", "\u2028", "\u2029", "\x85", "\x00", "\x1b[31m", "\u202e", "\u200b",
    "\\", " ", "    ", "|", "|-|-|\n", "# ", "#1", "GH-1", "@org/team", "@me", "a@example.com", "https://example.com",
    "www.example.com", "<b>", "</details>", "</summary>", "<!-- ", " -->", "<script>", "&lt;", "[a](b)", "![a](b)",
    "[^1]", "[ ] ", "*", "**", "_", "~~", "- ", "1. ", "> ", "---", "===", "$", "$`", ":smile:", "a", "word", "is", ".",
    ": ", "<environment>", '"', "'", "0123abcd", "1)", "(",
)  # fmt: skip
hostile = st.lists(st.sampled_from(PIECES) | st.characters(exclude_categories=["Cs"]), max_size=12).map("".join)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Database/Instance", "`Database/Instance`"),
        ("a`b", "``a`b``"),
        ("`", "`` ` ``"),
        (" a ", "`  a  `"),
        ("", '`""`'),
        (12, "`12`"),
        ("a\nb", r"`a\nb`"),
        ("a\u2028b\u202ec\x00", r"`a\u2028b\u202ec\x00`"),
        ("größer", "`größer`"),
    ],
)
def test_a_value_is_a_code_span_that_shows_what_can_not_be_seen(value: object, expected: str) -> None:
    assert code(value) == expected


@given(hostile)
def test_a_code_span_is_one_whatever_is_in_it(value: str) -> None:
    [span] = [each for each in _inline(f"in {code(value)}, and on") if each.type != "text"]
    assert (span.type, span.content.strip()) == ("code_inline", (visible(value) or '""').strip())


def test_what_we_say_ourselves_stays_as_it_is() -> None:
    text = "`DBName` changes from `jobs` to `work`: it's 80% of 3/4, they say (`a`; one-line). What is older is gone"
    assert prose(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("by @org/team", "by `@org/team`"),
        ("see #1, GH-1 or a@b.c", "see `#1`, `GH-1` or `a@b.c`"),
        ("moves to 111111111111, eu-central-1", "moves to `111111111111`, eu-central-1"),
        ("`a``b`", "```a``b```"),
        ("fails:\nDROP TABLE a_b.", r"fails: `\n` DROP TABLE `a_b`."),
        ("1. item", "`1.` item"),
        ("1", "`1`"),
        ("1 item of 2.", "1 item of 2."),
        ("`a`@b", "`a` `@b`"),
        ("`a` <b>", "`a` `<b>`"),
    ],
)
def test_what_means_something_becomes_code(text: str, expected: str) -> None:
    assert prose(text) == expected


@given(hostile)
def test_nothing_but_plain_words_is_outside_of_code(text: str) -> None:
    for token in _inline(f"- {prose(text)}"):
        assert token.type in ("text", "code_inline"), prose(text)
        if token.type == "text":
            assert not set(token.content) & set("@#<>[]|*_~$\\`&"), prose(text)
            assert "://" not in token.content
            assert "www." not in token.content.lower()
            assert not re.search(r"gh-\d", token.content, re.IGNORECASE)


@given(hostile)
@example("<b>")
@example("</summary></details>\n\n# @me")
def test_the_line_that_opens_a_fold_is_its_own_html_and_nothing_more(name: str) -> None:
    [opened, *_] = PARSER.parse(f"{summary(name, ': 1')}\n\ntext\n\n</details>")
    assert opened.type == "html_block"
    start, end = "<details><summary><code>", "</code>: 1</summary>\n"
    assert opened.content.startswith(start)
    assert opened.content.endswith(end)
    inside = opened.content[len(start) : -len(end)]
    assert not set(inside) & {"<", ">"}
    assert html.unescape(inside) == visible(name)


@given(st.lists(hostile, min_size=1))
def test_a_block_of_code_has_a_line_for_each(lines: list[str]) -> None:
    [block] = PARSER.parse("\n".join(fenced(lines, "toml")))
    assert (block.type, block.info) == ("fence", "toml")
    assert block.content == "".join(f"{visible(each)}\n" for each in lines)


@given(hostile)
def test_what_is_to_be_copied_says_what_was_meant(text: str) -> None:
    written = as_written(text)
    assert visible(written) == written
    assert tomllib.loads(f"resource = {written}") == {"resource": text}


@given(hostile, hostile, hostile, hostile)
def test_no_value_changes_what_a_report_is_made_of(name: str, value: str, reason: str, text: str) -> None:
    resource = Resource(
        stack=value, logical_id=value, path=value, kind=f"AWS::{name}", properties={"FunctionName": value}
    )
    difference = Difference(place=(value, name), before=value, after=reason)
    danger = Danger(kind="data", code=value, resource=value, text=text, then=text)
    review = EnvironmentReview(
        name=name,
        changes=[Change(how="changed", before=resource, after=resource, differences=(difference,), perhaps=(text,))],
        dangers=[danger, Danger(kind="access", code="access", resource=value, text=f"may {code(value)}")],
        accepted={(value, value): reason},
        note=text,
        cost=CostChange(items=((value, 1.0),), elsewhere=(value,), not_priced=(text,), region=name),
        runs=list(changed_runs(None, _scheduled(value, text), now=datetime(2026, 11, 27, tzinfo=UTC))),
    )
    report = markdown(f"Against {code(name)}", [review], [value], [text])
    tokens = list(_flat(PARSER.parse(report)))
    assert {each.type for each in tokens} <= {
        "heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "text", "softbreak", "fence",
        "bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close", "html_block", "code_inline",
        "strong_open", "strong_close", "em_open", "em_close",
    }  # fmt: skip
    headings = [after.content for each, after in pairwise(tokens) if each.type == "heading_open"]
    ours = {HEADINGS["data"], HEADINGS["access"], "What it costs", "When the jobs run next"}
    ours |= {"What the migrations do besides", "Everything that changes"}
    assert {each for each in headings if not each.startswith(("Against `", "`"))} <= ours
    folds = [each.content for each in tokens if each.type == "html_block"]
    assert all(each.count("<") == 5 or each == "</details>\n" for each in folds), folds  # details, summary, code
    assert all(line.isprintable() for line in report.split("\n"))


def _scheduled(path: str, expression: str) -> SynthesizedEnvironment:
    properties = {"ScheduleExpression": expression, "ScheduleExpressionTimezone": path}
    schedule = Resource(stack="Jobs", logical_id="S", path=path, kind="AWS::Scheduler::Schedule", properties=properties)
    return SynthesizedEnvironment(name="basic", account="1", region="", resources={("Jobs", "S"): schedule})


def test_names_are_separated_by_commas() -> None:
    assert codes(["basic", "large"]) == "`basic`, `large`"


def _inline(text: str) -> list[Token]:
    return [child for each in PARSER.parse(text) if each.type == "inline" for child in each.children or ()]


def _flat(tokens: list[Token]) -> Iterator[Token]:
    for each in tokens:
        yield each
        yield from _flat(each.children or [])
