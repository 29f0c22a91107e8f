"""Mutants of a module: its source with one small mistake each, compiled.

A mutant that no test notices shows what the tests don't protect. Left out: annotations, docstrings, the decorators of
dataclasses, as mypy refuses what they forbid, and what an error or the log says, as nobody tests every word.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any, Literal, NamedTuple

LONGEST_CHANGE = 100
"""Characters of an expression that names a mutant; of a longer one, only the part that changes is named."""

Reach = Literal["function", "class", "constant", "decorator"]

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
"""Its negation, and where there is a bound, the bound moved."""
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
NAMES = {"min": "max", "max": "min", "all": "any", "any": "all"}
EXPRESSIONS = {
    "self._session.address": "self._database.host",
    "ssl.TLSVersion.TLSv1_2": "ssl.TLSVersion.TLSv1_1",
}
"""Mistakes of this project's own subject."""
SQL = {
    "KILL CONNECTION": "KILL QUERY",
    " REQUIRE SSL": "",
    " AND NO CHAIN": "",
    " NO RELEASE": "",
    "RELEASE SAVEPOINT": "ROLLBACK TO SAVEPOINT",
    "COMMIT": "ROLLBACK",
    "ROLLBACK": "COMMIT",
    "IF NOT EXISTS ": "",
    "@@GLOBAL": "@@SESSION",
    "SESSION ": "",
    "+00:00": "+01:00",
    " = CONNECTION_ID()": " > 0",
    " DESC": "",
    " LIMIT 1": "",
    "REPLACE INTO": "INSERT INTO",
    "CREATE USER": "ALTER USER",
    "ALTER USER": "CREATE USER",
    "GRANT ": "REVOKE ",
    "REVOKE ": "GRANT ",
    " IS NOT NULL": " IS NULL",
    " UNION ALL": " UNION",
    " AND ": " OR ",
    "%s - n": "%s + n",
}
"""Parts of a statement, and what each becomes."""
STATEMENT = re.compile(
    r"\s*(SELECT|SET|INSERT|UPDATE|DELETE|REPLACE|CREATE|ALTER|GRANT|REVOKE|KILL|COMMIT|ROLLBACK|RELEASE|SAVEPOINT"
    r"|WITH|IF|SESSION|UNION|FROM|WHERE|AND|ORDER|GET_LOCK)\b|.*(\bSQL\b| FROM | WHERE | AND NO CHAIN| REQUIRE SSL)"
)
SAYS = re.compile(r"(Error|Exceeded|\.warning|super\(\)\.__init__)$")
"""What is called with what an error or the log says."""
SENTENCE = re.compile(r"[a-z'-]+ [\w'-]+ [\w'-]")
DROPPABLE_DECORATORS = {"cache", "contextmanager", "property", "classmethod", "staticmethod"}


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One mutant. Its place, kind and change name it, whatever becomes of the lines around it."""

    place: str
    """The function, the method (with its class), the class or the constant that it changes."""
    kind: str
    change: str
    """What was written, and what is instead; with a number if the same change is made twice in one place."""
    line: int
    reach: Reach
    code: CodeType
    """Of the whole module."""

    @property
    def name(self) -> tuple[str, str, str]:
        """What names it within its module."""
        return self.place, self.kind, self.change


class _Edit(NamedTuple):
    kind: str
    parent: Any
    field: str
    position: int | None
    new: object
    """None to drop it from its list."""
    line: int


def mutants_of(file: Path) -> list[Mutant]:
    """Return the mutants of a module, in the order of its source."""
    tree = ast.parse(file.read_text())
    above = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found = [(place, reach, edit) for place, reach, node in _places(tree) for edit in _edits(node, reach, above)]
    _keep_cells(tree)
    ast.fix_missing_locations(tree)
    seen: Counter[tuple[str, str, str]] = Counter()
    mutants = []
    for place, reach, edit in found:
        with_edit = _Applied(edit, above)
        name = (place, edit.kind, with_edit.change)
        seen[name] += 1
        code = with_edit.compile(tree, file)
        if code is not None:
            change = with_edit.change + (f" ({seen[name]})" if seen[name] > 1 else "")
            mutants.append(Mutant(place=place, kind=edit.kind, change=change, line=edit.line, reach=reach, code=code))
    return mutants


def _places(tree: ast.Module) -> Iterator[tuple[str, Reach, ast.AST]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield from _function(node.name, node)
        elif isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.FunctionDef):
                    yield from _function(f"{node.name}.{each.name}", each)
                elif isinstance(each, ast.Assign | ast.AnnAssign) and each.value is not None:
                    yield node.name, "class", each
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not _is_type(node.value):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            yield ast.unparse(target), "constant", node


def _function(place: str, node: ast.FunctionDef) -> Iterator[tuple[str, Reach, ast.AST]]:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Name) and decorator.id in DROPPABLE_DECORATORS:
            yield place, "decorator", decorator
    yield place, "function", node


def _is_type(value: ast.AST | None) -> bool:
    return isinstance(value, ast.Subscript) and ast.unparse(value.value) in ("Literal", "Callable")


def _edits(node: ast.AST, reach: Reach, above: dict[ast.AST, ast.AST]) -> Iterator[_Edit]:
    if reach == "decorator":
        yield _at(node, above, "decorator", None)
        return
    yield from _within(node, above, reach)


def _within(node: ast.AST, above: dict[ast.AST, ast.AST], reach: Reach) -> Iterator[_Edit]:
    if not (
        isinstance(node, ast.FunctionDef) and reach == "function" and isinstance(above[node], ast.Module | ast.ClassDef)
    ):
        yield from _of(node, above, reach)
    skipped = {"annotation", "returns", "decorator_list", "type_comment", "type_params", "format_spec"}
    if isinstance(node, ast.Call) and SAYS.search(ast.unparse(node.func)):
        skipped.add("args")
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("message", "where"):
        skipped.add("value")
    for field, value in ast.iter_fields(node):
        if field in skipped or isinstance(node, ast.arg):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_said(child):
                yield from _within(child, above, reach)


def _is_said(node: ast.AST) -> bool:
    """Whether it is a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _of(node: ast.AST, above: dict[ast.AST, ast.AST], reach: Reach) -> Iterator[_Edit]:
    """The edits of one node."""
    yield from _of_operation(node, above)
    yield from _of_literal(node, above)
    yield from _of_call(node, above)
    if isinstance(node, ast.stmt) and reach == "function":
        yield from _of_statement(node, above)


def _of_operation(node: ast.AST, above: dict[ast.AST, ast.AST]) -> Iterator[_Edit]:
    match node:
        case ast.Compare(ops=[*ops]):
            for index, op in enumerate(ops):
                for new in COMPARISONS[type(op)]:
                    yield _Edit("comparison", node, "ops", index, new(), node.lineno)
        case ast.BoolOp():
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield _Edit("and/or", node, "op", None, other, node.lineno)
            for index, value in enumerate(node.values):
                if len(node.values) == 2:
                    yield _at(node, above, "operand dropped", node.values[1 - index])
                else:
                    yield _at(value, above, "operand dropped", None)
        case ast.UnaryOp(op=ast.Not()):
            yield _at(node, above, "not", node.operand)
        case ast.BinOp(op=op) if type(op) in OPERATORS and not _is_type_union(node):
            yield _Edit("operator", node, "op", None, OPERATORS[type(op)](), node.lineno)


def _of_literal(node: ast.AST, above: dict[ast.AST, ast.AST]) -> Iterator[_Edit]:
    match node:
        case ast.Constant():
            yield from _of_constant(node, above)
        case ast.Tuple(ctx=ast.Load()) | ast.List(ctx=ast.Load()) | ast.Set():
            if not isinstance(above[node], ast.Subscript):
                yield from (_at(each, above, "element dropped", None) for each in node.elts)
        case ast.Dict():
            for index, value in enumerate(node.values):
                yield _Edit("element dropped", node, "items", index, None, value.lineno)


def _of_call(node: ast.AST, above: dict[ast.AST, ast.AST]) -> Iterator[_Edit]:
    """Of what is called, caught, tested or filtered."""
    match node:
        case ast.Name(id=name) if name in NAMES:
            yield _at(node, above, "other function", ast.Name(NAMES[name], ast.Load()))
        case ast.Attribute() if (new_text := EXPRESSIONS.get(ast.unparse(node))) is not None:
            yield _at(node, above, "other value", ast.parse(new_text, mode="eval").body)
        case ast.Call():
            yield from (_at(each, above, "argument dropped", None) for each in node.keywords)
            if ast.unparse(node.func).endswith("suppress"):
                yield from (_at(each, above, "exception not caught", None) for each in node.args)
        case ast.ExceptHandler(type=ast.expr() as caught):
            yield _at(caught, above, "exception not caught", ast.Tuple([], ast.Load()))
        case ast.If() | ast.While() | ast.IfExp() if isinstance(
            node.test, ast.Name | ast.Attribute | ast.Call | ast.NamedExpr
        ):
            yield _at(node.test, above, "condition", ast.UnaryOp(ast.Not(), node.test))
        case ast.comprehension(ifs=[*ifs]):
            yield from (_at(each, above, "filter dropped", None) for each in ifs)


def _is_type_union(node: ast.BinOp) -> bool:
    """`OSError | ValueError`, as in isinstance."""
    return isinstance(node.op, ast.BitOr) and bool(
        re.fullmatch(r"[\w.]*[A-Z]\w+( \| [\w.]*[A-Z]\w+)+", ast.unparse(node))
    )


def _of_statement(node: ast.stmt, above: dict[ast.AST, ast.AST]) -> Iterator[_Edit]:
    match node:
        case ast.Break():
            yield _at(node, above, "break/continue", ast.Continue())
        case ast.Continue():
            yield _at(node, above, "break/continue", ast.Break())
        case ast.Expr(value=ast.Yield()):
            pass  # without it, the function is no generator
        case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Delete():
            yield _at(node, above, "statement dropped", ast.Pass())
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield _at(value, above, "returns None", ast.Constant(None))
        case ast.Return(value=None):
            yield _at(node, above, "statement dropped", ast.Pass())
        case ast.Assign(targets=[target]) | ast.AnnAssign(target=target, value=ast.expr()):
            # A name that is bound nowhere else would only be missing.
            if not isinstance(target, ast.Name) or _times_bound(target, above) > 1:
                yield _at(node, above, "statement dropped", ast.Pass())


def _times_bound(name: ast.Name, above: dict[ast.AST, ast.AST]) -> int:
    node: ast.AST = name
    while not isinstance(node, ast.FunctionDef):
        node = above[node]
    arguments = [each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)]
    stores = [each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)]
    return [*arguments, *stores].count(name.id)


def _of_constant(node: ast.Constant, above: dict[ast.AST, ast.AST]) -> Iterator[_Edit]:
    match node.value:
        case bool(value):
            yield _at(node, above, "True/False", ast.Constant(not value))
        case int(value) | float(value):
            for new in (value + 1, value - 1):
                yield _at(node, above, "number", ast.Constant(new))
        case str(value) | bytes(value):
            yield from (_at(node, above, "text", ast.Constant(new)) for new in _other_texts(value))


def _other_texts(value: str | bytes) -> Iterator[str | bytes]:
    if isinstance(value, bytes):
        yield value + b"?"
        return
    found = [(old, new) for old, new in SQL.items() if old in value]
    yield from (value.replace(old, new) for old, new in found)
    if not (STATEMENT.match(value) or SENTENCE.search(value) or found) and value.strip():
        yield f"{value}?"  # a statement with it would be none


def _at(node: ast.AST, above: dict[ast.AST, ast.AST], kind: str, new: object) -> _Edit:
    """The edit that puts `new` in the place of `node`."""
    parent = above[node]
    line = getattr(node, "lineno", 0) or getattr(parent, "lineno", 0)
    for field, value in ast.iter_fields(parent):
        if value is node:
            return _Edit(kind, parent, field, None, new, line)
        if isinstance(value, list) and any(each is node for each in value):
            index = next(index for index, each in enumerate(value) if each is node)
            return _Edit(kind, parent, field, index, new, line)
    raise ValueError(f"{ast.dump(parent)} has no {ast.dump(node)}")


def _keep_cells(tree: ast.Module) -> None:
    """Let each method that has `__class__`, as super() needs it, still have it when the mutant does without.

    The code of a function can only be replaced by one with the same cells.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.FunctionDef) and "super()" in ast.unparse(each):
                    kept = ast.Expr(ast.Name("__class__", ast.Load()))
                    each.body.append(ast.If(ast.Constant(value=False), [kept], []))


class _Applied:
    """One edit: what it changes, in words, and the module with it."""

    def __init__(self, edit: _Edit, above: dict[ast.AST, ast.AST]) -> None:
        self._edit = edit
        old = self._old()
        if isinstance(edit.new, ast.AST):
            ast.fix_missing_locations(ast.copy_location(edit.new, old if hasattr(old, "lineno") else edit.parent))
        shown = self._shown(above)
        before, after = _text(old), _text(edit.new)
        if shown is not None:
            whole = _text(shown)
            with self:
                whole_after = _text(shown)
            if len(whole) <= LONGEST_CHANGE or not isinstance(old, ast.AST) or isinstance(old, ast.cmpop):
                before, after = whole, whole_after
        if edit.field == "items" and isinstance(edit.parent, ast.Dict):
            before, after = f"{_text(edit.parent.keys[edit.position or 0])}: {before}", ""
        self.change = " → ".join(text or "nothing" for text in _differing(before, after))

    def compile(self, tree: ast.Module, file: Path) -> CodeType | None:
        """Return the mutated module's code; None if it is no Python, as a `try` without its only handler is none."""
        with self:
            try:
                return compile(tree, str(file), "exec", dont_inherit=True)
            except (SyntaxError, ValueError):
                return None

    def __enter__(self) -> None:
        edit = self._edit
        if edit.field == "items":
            self._kept: Any = (edit.parent.keys.pop(edit.position), edit.parent.values.pop(edit.position))
            return
        self._kept = value = getattr(edit.parent, edit.field)
        new: Any = edit.new
        if edit.position is not None:
            new = [*value[: edit.position], *([] if edit.new is None else [edit.new]), *value[edit.position + 1 :]]
        setattr(edit.parent, edit.field, new)

    def __exit__(self, *_: object) -> None:
        edit = self._edit
        if edit.field == "items":
            key, value = self._kept
            edit.parent.keys.insert(edit.position, key)
            edit.parent.values.insert(edit.position, value)
        else:
            setattr(edit.parent, edit.field, self._kept)

    def _old(self) -> Any:
        edit = self._edit
        if edit.field == "items":
            value = edit.parent.keys if edit.field == "keys" else edit.parent.values
        else:
            value = getattr(edit.parent, edit.field)
        return value if edit.position is None else value[edit.position]

    def _shown(self, above: dict[ast.AST, ast.AST]) -> ast.AST | None:
        """The largest expression around the edit that still can be read; None for what is a statement itself."""
        shown = self._edit.parent
        if not isinstance(shown, ast.expr | ast.keyword | ast.Return | ast.Assign | ast.AugAssign):
            return None
        while (
            isinstance(outer := above[shown], ast.expr | ast.keyword | ast.Return | ast.Assign | ast.AugAssign)
            and len(_text(outer)) <= LONGEST_CHANGE
        ):
            shown = outer
        return shown.value if isinstance(shown, ast.FormattedValue) else shown  # a part of an f-string is no expression


def _text(node: Any) -> str:
    if isinstance(node, ast.Tuple) and not node.elts:
        return "()"
    if not isinstance(node, ast.AST):
        return "" if node is None else str(node)
    return re.sub(r"\s+", " ", ast.unparse(node)).strip()


def _differing(before: str, after: str) -> tuple[str, str]:
    """Two long texts, cut to where they differ."""
    start = 0
    if max(len(before), len(after)) > LONGEST_CHANGE:
        same = next((n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
        start = max(0, same - LONGEST_CHANGE // 2)
    return _cut(before, start), _cut(after, start)


def _cut(text: str, start: int) -> str:
    end = start + LONGEST_CHANGE
    return ("…" if start else "") + text[start:end] + ("…" if len(text) > end else "")
