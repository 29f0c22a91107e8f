"""What a reader decides: each danger of each resource once, for all environments that it is in, and how to say yes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from review.acceptance import entry
from review.danger import Danger
from review.markdown import code, codes, fenced, prose
from review.templates import ENVIRONMENT, file_name

FEW = 2
"""So many blocks to copy are shown at once; more are folded."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One thing that needs a yes: the dangers of one resource with one code."""

    dangers: tuple[Danger, ...]
    answers: Mapping[str, str | None]
    """By the environments it is in: the reason why it is accepted, or None."""

    @property
    def kind(self) -> str:
        """The kind of danger."""
        return self.dangers[0].kind

    @property
    def open(self) -> list[str]:
        """The environments in which it is not accepted."""
        return [name for name, reason in self.answers.items() if reason is None]

    def markdown(self) -> Iterator[str]:
        """An item of a list: what it is and where; indented below, what changes, what a yes means, and the answer."""
        first = self.dangers[0]
        yield f"- **{code(first.resource)}** {code(first.code)} in {codes(self.answers)}"
        yield from (f"  - {self._sentence(each.text)}" for each in self.dangers)
        for then in dict.fromkeys(each.then for each in self.dangers if each.then):
            yield f"  - *If you say yes:* {self._sentence(then)}"
        yield f"  - {'. '.join(self._answers())}"

    def _sentence(self, text: str) -> str:
        names = list(self.answers)
        return prose(text.replace(ENVIRONMENT, file_name(names[0])) if len(names) == 1 else text) + "."

    def _answers(self) -> Iterator[str]:
        by_reason: dict[str | None, list[str]] = defaultdict(list)
        for name, reason in self.answers.items():
            by_reason[reason].append(name)
        for reason, names in sorted(by_reason.items(), key=lambda each: each[0] is not None):
            where = f" in {codes(names)}" if len(by_reason) > 1 else ""
            if reason is None:
                yield f"**Not accepted**{where}"
            else:
                yield f"Accepted{where}: {code(reason)}"


def decisions(found: Iterable[tuple[str, Danger, str | None]]) -> list[Decision]:
    """The decisions; `found` has each danger with its environment, and the reason if it is accepted there."""
    dangers: dict[tuple[str, str, str], list[Danger]] = defaultdict(list)
    reasons: dict[tuple[str, str, str], str | None] = {}
    for name, danger, reason in found:
        dangers[name, danger.resource, danger.code].append(danger)
        reasons[name, danger.resource, danger.code] = reason
    answers: dict[tuple[Danger, ...], dict[str, str | None]] = defaultdict(dict)
    for key, some in dangers.items():
        answers[tuple(dict.fromkeys(some))][key[0]] = reasons[key]
    return [Decision(dangers=some, answers=by_name) for some, by_name in answers.items()]


def how_to_accept(some: Iterable[Decision]) -> Iterator[str]:
    """What to write into which file to say yes to those that are open, ready to be copied but for the reasons."""
    files: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for decision in some:
        for name in decision.open:
            danger = decision.dangers[0]
            files[danger.resource, danger.code][f"environments/{file_name(name)}.toml"] = None
    blocks: dict[tuple[str, ...], list[tuple[str, str]]] = defaultdict(list)
    for asked, names in files.items():
        blocks[tuple(names)].append(asked)
    folded = len(files) > FEW
    if folded:
        yield from ("<details><summary>All of them, to be copied</summary>", "")
    for some_files, every in blocks.items():
        yield from (
            f"For {codes(some_files)}:",
            "",
            *fenced("\n".join(map(entry, every)).rstrip("\n").split("\n"), "toml"),
            "",
        )
    if folded:
        yield from ("</details>", "")
