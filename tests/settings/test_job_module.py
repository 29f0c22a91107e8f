"""Synth reads of a job's module what concerns it, executes nothing else, and says what is wrong with it."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from settings.job_module import JobModule, read_job_module
from settings.project import ENGINE
from stacks.jobs.bundle import bundle
from tests.fixture import PROJECT

HEAD = '"""Deletes what is over. Then it rests."""\n\nfrom __future__ import annotations\n\n'
TABLES = 'TABLES = {"event": ("SELECT",)}\n'
RUN = "\n\ndef run(run: Run) -> None:\n    pass\n"
DATACLASS = "@dataclass(frozen=True, kw_only=True)\n"
IMPORTS = "from dataclasses import dataclass\nfrom typing import Literal\n"

PURGE = (
    HEAD
    + "import logging\n"
    + "import re\n"
    + IMPORTS
    + "\nimport pymysql\n\nfrom mysql_jobs import Run\n\n"
    + "logger = logging.getLogger(pymysql.__name__)\n"
    + 'NAME = re.compile("[a-z_]+")\n'
    + "LEAST = MONTH = 28\n\n\n"
    + DATACLASS
    + "class Table:\n"
    + "    table: str\n"
    + "    retention_days: int = MONTH\n\n"
    + "    def __post_init__(self) -> None:\n"
    + "        if self.retention_days < LEAST:\n"
    + '            raise ValueError(f"retention_days is {self.retention_days}: write {LEAST} or more")\n'
    + "        if not NAME.fullmatch(self.table):\n"
    + "            raise TypeError(self.table)\n\n\n"
    + DATACLASS
    + "class Parameters:\n"
    + "    batch_rows: int = 1000\n"
    + "    pause_seconds: float = 0\n"
    + "    archive: bool = False\n"
    + '    mode: Literal["keep", "drop"] = "keep"\n'
    + "    first: Table | None = None\n"
    + "    tables: tuple[Table, ...]\n\n\n"
    + "def rights(parameters: Parameters) -> tuple[str, ...]:\n"
    + '    return ("DELETE",) if parameters.mode == "keep" else ("SELECT", "DELETE")\n\n\n'
    + "def tables(parameters: Parameters) -> dict[str, tuple[str, ...]]:\n"
    + "    return {each.table: rights(parameters) for each in parameters.tables}\n"
    + RUN
)
SESSION = {"table": "session"}


@pytest.fixture
def purge(tmp_path: Path) -> JobModule:
    return _read(PURGE, tmp_path)


def _read(source: str, folder: Path) -> JobModule:
    (folder / "tally.py").touch()
    path = folder / "purge.py"
    path.write_text(source)
    return read_job_module(path)


def test_every_job_of_the_project_can_be_read() -> None:
    for path in PROJECT.jobs.glob("[!_]*.py"):
        assert read_job_module(path).description.endswith(".")


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        ("Deletes what is over. Then it rests.", "Deletes what is over."),
        ("Deletes what\n    is over.\n\n    More.", "Deletes what is over."),
        ("Deletes what is over\n\nMore.", "Deletes what is over"),
        ("Keeps 1.5 days.", "Keeps 1.5 days."),
    ],
)
def test_the_description_is_the_first_sentence(docstring: str, sentence: str, tmp_path: Path) -> None:
    assert _read(f'"""{docstring}"""\n{TABLES}{RUN}', tmp_path).description == sentence


def test_parameters_are_the_jobs_own_dataclass(purge: JobModule) -> None:
    parameters = purge.read_parameters({"batch_rows": 5, "pause_seconds": 1, "tables": [SESSION]})
    assert type(parameters).__name__ == "Parameters"
    assert (parameters.batch_rows, parameters.pause_seconds, parameters.mode) == (5, 1.0, "keep")
    assert [(each.table, each.retention_days) for each in parameters.tables] == [("session", 28)]


@pytest.mark.parametrize(
    ("values", "place", "message"),
    [
        ({}, ("tables",), "Field required"),
        ({"tables": SESSION}, ("tables",), "Input should be a valid array"),
        ({"tables": [{}]}, ("tables", 0, "table"), "Field required"),
        ({"tables": ["session"]}, ("tables", 0), "Input should be an object"),
        ({"tables": [SESSION, {**SESSION, "age": 1}]}, ("tables", 1, "age"), "Unexpected keyword argument"),
        ({"tables": [{**SESSION, "retention_days": 7}]}, ("tables", 0), "retention_days is 7: write 28 or more"),
        ({"tables": [{"table": 1}]}, ("tables", 0, "table"), "Input should be a valid string"),
        ({"tables": [], "first": {"table": "a", "days": 2}}, ("first", "days"), "Unexpected keyword argument"),
        ({"tables": [], "first": {**SESSION, "retention_days": 1}}, ("first",), "retention_days is 1: write 28"),
        ({"tables": [], "batch_row": 1}, ("batch_row",), "Unexpected keyword argument"),
        ({"tables": [], "batch_rows": "1"}, ("batch_rows",), "Input should be a valid integer"),
        ({"tables": [], "batch_rows": 1.0}, ("batch_rows",), "Input should be a valid integer"),
        ({"tables": [], "batch_rows": True}, ("batch_rows",), "Input should be a valid integer"),
        ({"tables": [], "pause_seconds": "1"}, ("pause_seconds",), "Input should be a valid number"),
        ({"tables": [], "pause_seconds": float("inf")}, ("pause_seconds",), "Input should be a finite number"),
        ({"tables": [], "archive": 1}, ("archive",), "Input should be a valid boolean"),
        ({"tables": [], "mode": "burn"}, ("mode",), "Input should be 'keep' or 'drop'"),
    ],
)
def test_a_wrong_parameter_has_its_place(
    values: dict[str, Any], place: tuple[str | int, ...], message: str, purge: JobModule
) -> None:
    with pytest.raises(ValidationError) as caught:
        purge.read_parameters(values)
    [detail] = caught.value.errors()
    assert detail["loc"] == place
    assert message in detail["msg"]


def test_a_check_that_raises_something_else_is_named(purge: JobModule) -> None:
    with pytest.raises(ValueError, match=r"purge\.py: Parameters raised TypeError\('A'\): raise a ValueError instead"):
        purge.read_parameters({"tables": [{"table": "A"}]})


def test_parameters_for_a_job_that_takes_none_are_refused(tmp_path: Path) -> None:
    module = _read(HEAD + TABLES + RUN, tmp_path)
    assert module.read_parameters({}) is None
    with pytest.raises(ValueError, match=r"^lambda/jobs/purge\.py defines no Parameters: remove them, or write the"):
        module.read_parameters({"batch_rows": 1})


def test_rights_are_as_stated(tmp_path: Path) -> None:
    module = _read(HEAD + 'TABLES = {"event": ("SELECT",), "count": ("INSERT", "UPDATE")}' + RUN, tmp_path)
    assert module.read_rights(None) == {"event": {"SELECT"}, "count": {"INSERT", "UPDATE"}}


def test_rights_may_depend_on_the_parameters(purge: JobModule) -> None:
    for mode, rights in (("keep", {"DELETE"}), ("drop", {"SELECT", "DELETE"})):
        parameters = purge.read_parameters({"mode": mode, "tables": [SESSION, {"table": "token"}]})
        assert purge.read_rights(parameters) == {"session": rights, "token": rights}


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ("None", 'states the rights None: write a dict like {"event": ("SELECT",)}'),
        ('["event"]', "states the rights ['event']: write a dict"),
        ('{"event": "SELECT"}', "'event' has 'SELECT': write a tuple of SELECT, INSERT, UPDATE, DELETE, like"),
        ('{"event": ()}', "'event' has (): write a tuple"),
        ('{"event": ["SELECT"]}', "'event' has ['SELECT']: write a tuple"),
        ('{"event": ("SELECT", "DROP")}', "'event' has ('SELECT', 'DROP'): write a tuple"),
        ('{"event": ("select",)}', "'event' has ('select',): write a tuple"),
        ('{"event": ([],)}', "'event' has ([],): write a tuple"),
        ('{"event\\n": ("SELECT",)}', "'event\\n': write a table's name of characters that MySQL allows"),
        ('{"e" * 65: ("SELECT",)}', "write a table's name, or schema.table, each of 1 to 64 characters"),
        ('{"mysql.user": ("SELECT",)}', "'mysql.user': this schema is the server's own: name another"),
        ('{1: ("SELECT",)}', "1: write a table's name"),
        ('{"ledger": ("DELETE",)}', "'ledger': this table is the engine's own: name others"),
        ('{"migration": ("SELECT",)}', "'migration': this table is the engine's own: name others"),
        ('{"a": (), "b": 2}', "states wrong rights: 'a' has (): write a tuple of"),
        ('{"a": (), "b": 2}', "; 'b' has 2: write a tuple of"),
    ],
)
@pytest.mark.parametrize("form", ["TABLES = {}\n", "def tables(parameters):\n    return {}\n"])
def test_wrong_rights_are_named(form: str, tables: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^lambda/jobs/purge\.py states ") as caught:
        _read(HEAD + form.format(tables) + RUN, tmp_path).read_rights(None)
    assert message in str(caught.value)


def test_a_tables_function_that_fails_is_named(tmp_path: Path) -> None:
    module = _read(HEAD + "def tables(parameters):\n    return parameters.tables\n" + RUN, tmp_path)
    with pytest.raises(ValueError, match=r"purge\.py: tables\(parameters\) raised AttributeError\(.*\): correct it"):
        module.read_rights(None)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (HEAD + TABLES, "has no function run(run): write one"),
        (HEAD + TABLES + "run = print\n", "has no function run(run): write one"),
        (
            HEAD + TABLES + "def run(event, context): ...\n",
            "has run(event, context), but it is called with the run alone: write run(run)",
        ),
        (HEAD + TABLES + "def run(): ...\n", "has run(), but it is called"),
        (HEAD + TABLES + "def run(*, run): ...\n", "has run(*, run), but it is called"),
        (HEAD + TABLES + "def run(run, *, most): ...\n", "has run(run, *, most), but it is called"),
        (HEAD + TABLES + "def run(a, b, c=1): ...\n", "has run(a, b, c=1), but it is called"),
        (HEAD + TABLES + "def run(run): ...\ndef run(a, b): ...\n", "has run(a, b), but it is called"),
        (TABLES + RUN, "has no docstring: write what the job does, for the dashboard"),
        (HEAD + RUN, 'has no TABLES: write what it needs, like {"event": ("SELECT",)}'),
        (HEAD + TABLES + "def tables(parameters): ...\n" + RUN, "has both TABLES and tables(): keep one"),
        (TABLES, "has no function run(run): write one; has no docstring: write what"),
        (
            HEAD + 'TABLES = {"a": ()}\n' + RUN,
            "states wrong rights: 'a' has (): write a tuple of SELECT, INSERT, UPDATE,",
        ),
        (HEAD + "def run(run:\n", "is not Python: line 5: "),
        (HEAD + "TABLES = 1 / 0\n" + RUN, "can't be read: ZeroDivisionError('division by zero'): correct them"),
        (HEAD + "TABLES = THINGS\n" + RUN, "NameError(\"name 'THINGS' is not defined\")"),
        (HEAD + "def f():\n    break\nTABLES = f()\n" + RUN, "can't be read: SyntaxError("),
        (
            HEAD + "from mysql_jobs import THINGS\nTABLES = THINGS\n" + RUN,
            "may use the standard library only, not mysql_jobs",
        ),
        (HEAD + "import pymysql.err as e\nTABLES = {e: e}\n" + RUN, "may use the standard library only, not pymysql"),
        (HEAD + "from .tally import X\nTABLES = {X: X}\n" + RUN, "may use the standard library only, not .tally"),
        (HEAD + TABLES + "class Parameters: ...\n" + RUN, "has a Parameters that is no dataclass: write @dataclass("),
        (HEAD + TABLES + "Parameters = 5\n" + RUN, "has a Parameters that is no dataclass"),
        (
            HEAD + TABLES + IMPORTS + DATACLASS + "class Parameters:\n    least: int = 1\n    most = 5000\n" + RUN,
            "has a Parameters.most without a type, so it is no field: write most: int = 5000",
        ),
        (
            HEAD + TABLES + IMPORTS + DATACLASS + "class Parameters:\n    '''Of no use.'''\n" + RUN,
            "has a Parameters without fields: write one, like most: int = 5000, or remove the class",
        ),
        (
            HEAD + TABLES + IMPORTS + "@dataclass\nclass Parameters:\n    a: int\n" + RUN,
            "has a Parameters that may change: write @dataclass(frozen=True, kw_only=True) above it",
        ),
        (
            HEAD + TABLES + IMPORTS + "@dataclass(frozen=True)\nclass Parameters:\n    a: int\n" + RUN,
            "has a Parameters that may change",
        ),
        (
            HEAD + TABLES + IMPORTS + "@dataclass\nclass T: ...\n" + DATACLASS + "class Parameters:\n    a: T\n" + RUN,
            "has a T that may change",
        ),
        (
            HEAD
            + TABLES
            + IMPORTS
            + DATACLASS
            + "class T: ...\n"
            + DATACLASS
            + "class Parameters:\n    a: 'T'\n"
            + RUN,
            "has a Parameters whose annotations can't be read: name 'T' is not defined: write them without quotes",
        ),
    ],
)
def test_what_is_wrong_with_a_module_is_named(source: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^lambda/jobs/purge\.py") as caught:
        _read(source, tmp_path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "parameters",
    ["run", "run, /", "run=None", "run, most=1", "run, *others", "run, *, most=1", "run, **others", "*run"],
)
def test_run_may_have_more_that_is_not_required(parameters: str, tmp_path: Path) -> None:
    source = f"{HEAD}{TABLES}def run({parameters}): ...\n"
    assert _read(source, tmp_path).description == "Deletes what is over."


@pytest.mark.parametrize(
    ("statement", "module"),
    [
        ("import requests", "requests"),
        ("import json, boto3", "boto3"),
        ("import requests.adapters as a", "requests.adapters"),
        ("from boto3.session import Session", "boto3.session"),
        ("from run import Run", "run"),
        ("import mysql_jobs.more", "mysql_jobs.more"),
        ("import stacks", "stacks"),
        ("import certificates", "certificates"),
        ("from jobs.nothing import X", "jobs.nothing"),
        ("from . import nothing", ".nothing"),
        ("from .run import Run", ".run"),
        ("from .. import mysql_jobs", "..mysql_jobs"),
        ("import pandas\nimport numpy", "numpy, pandas"),
    ],
)
@pytest.mark.parametrize("at", ["{}", "def help():\n    if TABLES:\n        {}"])
def test_an_import_of_what_the_function_lacks_is_named(at: str, statement: str, module: str, tmp_path: Path) -> None:
    nested = statement.replace("\n", "; ")
    with pytest.raises(ValueError, match=r"^lambda/jobs/purge\.py") as caught:
        _read(f"{HEAD}{at.format(nested)}\n{TABLES}{RUN}", tmp_path)
    assert str(caught.value) == (
        f"lambda/jobs/purge.py imports {module}, not in the function's zip: import only PyMySQL, the standard library, "
        "mysql_jobs, the modules of lambda/jobs/ and packages that are locked: write the package into "
        "lambda/requirements.txt (for this job alone: lambda/jobs/purge.txt), and make lock"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "import os.path, mysql_jobs.run",
        "import pymysql.cursors as c",
        "from pymysql import err",
        "from mysql_jobs import Run, Window",
        "import jobs.tally",
        "from jobs import tally",
        "from . import tally",
        "from .tally import HOUR",
    ],
)
@pytest.mark.parametrize("at", ["{}", "def help():\n    {}"])
def test_what_the_function_has_may_be_imported(at: str, statement: str, tmp_path: Path) -> None:
    assert _read(f"{HEAD}{at.format(statement)}\n{TABLES}{RUN}", tmp_path).read_rights(None) == {"event": {"SELECT"}}


@pytest.mark.parametrize(
    "statement", ["from jobs import shared", "import jobs.shared", "from . import shared", "from .shared import x"]
)
@pytest.mark.parametrize("at", ["{}", "def help():\n    {}"])
def test_what_a_module_beside_the_job_imports_has_to_be_in_the_zip_too(at: str, statement: str, tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text("from jobs import deeper\n")
    (tmp_path / "deeper.py").write_text("from . import shared\nimport pandas\n")
    with pytest.raises(
        ValueError, match=r"purge\.py imports pandas \(in lambda/jobs/deeper\.py\), not in the function"
    ):
        _read(f"{HEAD}{at.format(statement)}\n{TABLES}{RUN}", tmp_path)
    _read(f"{HEAD}{TABLES}{RUN}", tmp_path)  # which imports neither


def test_what_the_package_of_the_jobs_imports_has_to_be_in_the_zip_too(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("import pandas\n")
    with pytest.raises(ValueError, match=r"imports pandas \(in lambda/jobs/__init__\.py\), not in the function's zip"):
        _read(f"{HEAD}{TABLES}{RUN}", tmp_path)


def test_a_module_beside_the_job_that_is_not_python_is_named(tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text("def\n")
    with pytest.raises(ValueError, match=r"^lambda/jobs/shared\.py is not Python: line 1: "):
        _read(f"{HEAD}from jobs import shared\n{TABLES}{RUN}", tmp_path)


def test_the_modules_that_a_job_may_import_are_in_the_zip(tmp_path: Path) -> None:
    bundle(tmp_path, project=PROJECT, region="eu-central-1")
    files = {f"jobs/{path.name}" for path in PROJECT.jobs.glob("*.py")}
    files |= {f"mysql_jobs/{path.name}" for path in ENGINE.glob("*.py")}
    zipped = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.py")}
    assert files | {"pymysql/__init__.py"} <= zipped


def test_what_belongs_to_a_dataclass_but_is_no_field_needs_no_type(tmp_path: Path) -> None:
    parameters = (
        DATACLASS
        + "class Parameters:\n"
        + "    LEAST: ClassVar[int] = 1\n"
        + "    most: int = 5000\n\n"
        + "    class Other: ...\n\n"
        + "    @property\n    def more(self): return self.most + 1\n\n"
        + "    @staticmethod\n    def least(): return 1\n\n"
        + "    @classmethod\n    def none(cls): return 0\n\n"
    )
    module = _read(HEAD + IMPORTS + "from typing import ClassVar\n" + TABLES + parameters + RUN, tmp_path)
    assert module.read_parameters({"most": 2}).more == 3


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("datetime.date", "datetime.date"),
        ("list[int]", "list[int]"),
        ("tuple[int]", "tuple[int]"),
        ("tuple[int, str]", "tuple[int, str]"),
        ("tuple[datetime.date, ...]", "tuple[datetime.date, ...]"),
        ("dict[str, int]", "dict[str, int]"),
        ("int | str", "int | str"),
        ("int | str | None", "int | str | None"),
        ("datetime.date | None", "datetime.date | None"),
        ("object", "object"),
    ],
)
def test_a_type_that_the_function_would_not_build_is_refused(kind: str, shown: str, tmp_path: Path) -> None:
    source = HEAD + "import datetime\n" + IMPORTS + TABLES + DATACLASS + f"class Parameters:\n    a: {kind}\n" + RUN
    with pytest.raises(ValueError, match=r"has a Parameters\.a that is .*: write int, float, bool, str, a") as caught:
        _read(source, tmp_path)
    assert f"that is {shown}: " in str(caught.value)


def test_definitions_may_be_anywhere_and_of_any_form(tmp_path: Path) -> None:
    source = (
        HEAD
        + "import pymysql\n"
        + "if pymysql:\n    raise SystemExit\n"
        + "READ: tuple[str, ...] = ('SELECT',)\n"
        + "READ += ('UPDATE',)\n"
        + "try:\n    import json as j\nexcept ImportError:\n    j = None\n"
        + "import os.path\n"
        + "if os:\n    def write(): return ('INSERT',)\n"
        + '(EVENT, _), COUNT = j.loads(\'[["event", 0], "count"]\')\n'
        + "NOT_NEEDED = pymysql.converters.escape_string(EVENT)\n"
        + "TABLES = {EVENT: READ, os.path.basename(COUNT): write()}\n"
    )
    assert _read(source + RUN, tmp_path).read_rights(None) == {"event": {"SELECT", "UPDATE"}, "count": {"INSERT"}}


def test_a_class_may_name_one_that_follows(tmp_path: Path) -> None:
    parameters = DATACLASS + "class Parameters:\n    a: Table\n" + DATACLASS + "class Table:\n    b: int\n"
    module = _read(HEAD + IMPORTS + TABLES + parameters + RUN, tmp_path)
    assert module.read_parameters({"a": {"b": 1}}).a.b == 1
