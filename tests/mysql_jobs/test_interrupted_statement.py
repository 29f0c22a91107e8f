"""A statement of a migration whose run ended: the next deploy goes on where its fate is certain, or asks."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mysql_jobs import job_users, migrate, migration_files
from mysql_jobs.migration_files import MigrationError
from mysql_jobs.migration_log import APPLIED, MigrationLog, Statement

Query = Callable[[str], list[tuple[Any, ...]]]
FILE = "migrations/0002_more.sql"
AGAIN, ON, ASK = "nothing of it is in effect", "it is in effect", "whether it is in effect is not known"


class Killed(BaseException):
    """Stands for the end of the process: nothing of the engine catches it."""


@pytest.fixture(autouse=True)
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], context: Any) -> Path:
    """The folder of the project's migrations, of which the first was applied."""
    monkeypatch.setitem(migration_files.FOLDERS, "project", tmp_path)
    (tmp_path / "0001_pulse.sql").write_text("CREATE TABLE pulse (a INT);\nINSERT INTO pulse VALUES (1);\n")
    migrate.lambda_handler({}, context)
    return tmp_path


@pytest.fixture
def interrupt(deployed: Path, context: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Deploy a migration of this statement, and be killed: before it, when the server has rolled it back, or after."""

    def interrupt(statement: str, *, when: str) -> None:
        (deployed / "0002_more.sql").write_text(f"{statement};\n")
        begin = MigrationLog.begin

        def begun(log: MigrationLog, statement: Statement, tables: dict[str, str]) -> None:
            begin(log, statement, tables)
            if when == "rolled back":
                log._cursor.execute("COMMIT")  # as DDL does before it begins
            if when != "after":
                raise Killed

        def recorded(log: MigrationLog, statement: Statement) -> None:
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(MigrationLog, "begin", begun)
            patched.setattr(MigrationLog, "record", recorded)
            with pytest.raises(Killed):
                migrate.lambda_handler({}, context)

    return interrupt


@pytest.mark.parametrize(
    ("statement", "when", "said"),
    [
        ("INSERT INTO pulse VALUES (2)", "before", AGAIN),
        ("INSERT INTO pulse VALUES (2)", "after", AGAIN),
        ("SET @a = 1", "after", AGAIN),
        ("CREATE TABLE two (a INT)", "before", AGAIN),
        ("CREATE TABLE two (a INT)", "rolled back", AGAIN),
        ("CREATE TABLE two (a INT)", "after", ON),
        ("create table two as select a from pulse", "after", ON),
        ("CREATE TABLE IF NOT EXISTS pulse (b INT)", "after", AGAIN),
        ("ALTER TABLE pulse ADD b INT DEFAULT 1, COMMENT 'see docs/jobs.md'", "rolled back", AGAIN),
        ("ALTER TABLE pulse ADD b INT DEFAULT 1, COMMENT 'see docs/jobs.md'", "after", ON),
        ("ALTER TABLE pulse RENAME TO two", "after", ON),
        ("ALTER TABLE pulse FORCE", "after", AGAIN),
        ("CREATE UNIQUE INDEX by_a ON `pulse` (a)", "rolled back", AGAIN),
        ("CREATE UNIQUE INDEX by_a ON `pulse` (a)", "after", ON),
        ("DROP TABLE pulse, ledger", "rolled back", AGAIN),
        ("DROP TABLE pulse, ledger", "after", ON),
        # What is compared does not show these:
        ("TRUNCATE TABLE pulse", "before", AGAIN),
        ("TRUNCATE TABLE pulse", "rolled back", ASK),
        ("TRUNCATE TABLE pulse", "after", ASK),
        ("ALTER TABLE parted EXCHANGE PARTITION p WITH TABLE whole", "after", ASK),
        ("RENAME TABLE whole TO old, same TO whole, old TO same", "after", ASK),
        ("CREATE VIEW two AS SELECT 1 AS a", "after", ASK),
        ("CREATE TABLE mysql.two (a INT)", "after", ASK),
    ],
)
def test_a_deploy_goes_on_where_a_statement_s_fate_is_certain_and_asks_where_it_is_not(
    statement: str,
    when: str,
    said: str,
    interrupt: Callable[..., None],
    context: Any,
    query: Query,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        job_users, "update", lambda *_, own_schema: None
    )  # on a table that is gone, no right can be granted
    for table in (
        "whole (a INT)",
        "same (a INT)",
        "parted (a INT) PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (9))",
    ):
        query(f"CREATE TABLE {table}")
    interrupt(statement, when=when)
    query("DROP TABLE IF EXISTS mysql.two")

    def begin(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(MigrationLog, "begin", begin)
    if said == ON:
        assert migrate.lambda_handler({}, context)["applied"] == [FILE]
    else:
        with pytest.raises(MigrationError if said == ASK else Killed) as caught:
            migrate.lambda_handler({}, context)
    found = str(caught.value) if said == ASK else caplog.text
    assert re.search(rf"{FILE}, statement 1 of 1, began at .* UTC and was interrupted; {said} \(", found)


def test_a_table_without_transactions_makes_everything_uncertain(
    interrupt: Callable[..., None], context: Any, query: Query
) -> None:
    query("CREATE TABLE unsafe (a INT) ENGINE = MyISAM")
    interrupt("INSERT INTO unsafe VALUES (1)", when="after")
    assert query("SELECT a FROM unsafe") == [(1,)]
    with pytest.raises(MigrationError, match=ASK):
        migrate.lambda_handler({}, context)


@pytest.mark.parametrize(
    "body", ["INSERT INTO pulse VALUES (2); COMMIT", "ROLLBACK; INSERT INTO pulse VALUES (2); COMMIT"]
)
def test_what_a_procedure_did_is_uncertain(
    body: str, interrupt: Callable[..., None], context: Any, query: Query
) -> None:
    query(f"CREATE PROCEDURE p() BEGIN {body}; END")
    interrupt("CALL p()", when="after")
    with pytest.raises(MigrationError, match=ASK):
        migrate.lambda_handler({}, context)


def test_a_table_that_somebody_else_changed_makes_it_uncertain(
    interrupt: Callable[..., None], context: Any, query: Query
) -> None:
    interrupt("ALTER TABLE pulse ADD b INT", when="after")
    query("ALTER TABLE ledger COMMENT 'by hand'")
    with pytest.raises(MigrationError, match=rf"{ASK} \(the tables that changed since: ledger, pulse\)"):
        migrate.lambda_handler({}, context)


def test_rows_that_come_in_meanwhile_don_t_count_as_a_change(
    interrupt: Callable[..., None], context: Any, query: Query, caplog: pytest.LogCaptureFixture
) -> None:
    query("CREATE TABLE counter (id INT AUTO_INCREMENT PRIMARY KEY)")
    query("INSERT INTO counter VALUES (7)")
    interrupt("ALTER TABLE pulse ADD b INT", when="rolled back")
    for _ in range(3):
        query("INSERT INTO counter VALUES (NULL)")
    assert migrate.lambda_handler({}, context)["applied"] == [FILE]
    assert AGAIN in caplog.text


def test_the_question_has_all_that_it_takes_to_answer_it(
    interrupt: Callable[..., None], context: Any, query: Query
) -> None:
    interrupt("TRUNCATE TABLE pulse", when="after")
    with pytest.raises(MigrationError) as caught:
        migrate.lambda_handler({}, context)
    said = str(caught.value)
    assert f"`make migrate-resolve ENV=<environment> MIGRATION={FILE} STATEMENT=applied` if it is" in said
    assert f"`make migrate-resolve ENV=<environment> MIGRATION={FILE} STATEMENT=rolled-back` if not" in said
    assert "(no table's definition changed since)" in said
    assert said.endswith("\nTRUNCATE TABLE pulse")


@pytest.mark.parametrize(("word", "rows"), [("applied", [(5,)]), ("rolled-back", [])])
def test_a_person_s_answer_decides(
    word: str, rows: list[tuple[int]], interrupt: Callable[..., None], context: Any, query: Query
) -> None:
    interrupt("TRUNCATE TABLE pulse;\nSET @a = 1", when="after")
    query("INSERT INTO pulse VALUES (5)")
    assert migrate.lambda_handler({"resolve": FILE, "statement": word}, context) == {
        "resolved": f"{FILE}, statement 1 of 2",
        "statement": word,
        "text": "TRUNCATE TABLE pulse",
    }
    assert query("SELECT a FROM pulse") == [(5,)]  # nothing is migrated
    assert migrate.lambda_handler({}, context)["applied"] == [FILE]
    assert query("SELECT a FROM pulse") == rows
    assert migrate.lambda_handler({}, context)["applied"] == []
    assert query("SELECT * FROM migration_statement") == []


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"resolve": FILE}, "the statement is None: write applied, if it is in effect, or rolled-back"),
        ({"resolve": FILE, "statement": "done"}, "the statement is 'done': write applied"),
        (
            {"resolve": "0002_more", "statement": "applied"},
            f"^0002_more has no statement that was interrupted or failed; there are: {FILE}$",
        ),
    ],
)
def test_another_answer_is_refused_and_changes_nothing(
    event: dict[str, str], message: str, interrupt: Callable[..., None], context: Any
) -> None:
    interrupt("TRUNCATE TABLE pulse", when="after")
    with pytest.raises(MigrationError, match=message):
        migrate.lambda_handler(event, context)
    with pytest.raises(MigrationError, match=ASK):
        migrate.lambda_handler({}, context)


def test_an_answer_without_a_question_is_refused(context: Any) -> None:
    with pytest.raises(MigrationError, match=r"has no statement that was interrupted or failed; there are none$"):
        migrate.lambda_handler({"resolve": "migrations/0001_pulse.sql", "statement": "applied"}, context)


def test_the_code_before_goes_on_and_takes_the_answer(
    interrupt: Callable[..., None], deployed: Path, context: Any, query: Query, caplog: pytest.LogCaptureFixture
) -> None:
    """CloudFormation rolls the failed deploy back, with the code that has no such migration, which must not fail."""
    interrupt("TRUNCATE TABLE pulse", when="after")
    text = (deployed / "0002_more.sql").read_text()
    (deployed / "0002_more.sql").unlink()
    assert migrate.lambda_handler({}, context)["applied"] == []
    assert f"{FILE}, statement 1 of 1 was not recorded as applied, and this version does not have it" in caplog.text
    migrate.lambda_handler({"resolve": FILE, "statement": "applied"}, context)
    query("INSERT INTO pulse VALUES (5)")
    (deployed / "0002_more.sql").write_text(text)
    assert migrate.lambda_handler({}, context)["applied"] == [FILE]
    assert query("SELECT a FROM pulse") == [(5,)]


def test_a_statement_that_was_edited_after_it_took_effect_is_found(
    interrupt: Callable[..., None], deployed: Path, context: Any
) -> None:
    interrupt("CREATE TABLE two (a INT)", when="after")
    (deployed / "0002_more.sql").write_text("CREATE TABLE two (a BIGINT);\n")
    with pytest.raises(MigrationError, match=rf"^{FILE} differs from the 0002_more\.sql that was applied"):
        migrate.lambda_handler({}, context)


def test_a_log_without_markers_is_gone_on_with(deployed: Path, context: Any, query: Query) -> None:
    """That of an engine before: one of its runs was killed between the second statement and its record."""
    query("DROP TABLE migration_statement")
    columns = query("SHOW COLUMNS FROM migration")
    query("CREATE TABLE kept AS SELECT * FROM migration")
    query("DROP TABLE migration")
    query(APPLIED.replace("{schema}.", ""))
    assert query("SHOW COLUMNS FROM migration") == columns
    query("INSERT INTO migration SELECT * FROM kept")
    query("DROP TABLE kept")
    query("CREATE TABLE two (a INT)")
    (deployed / "0002_more.sql").write_text("CREATE TABLE two (a INT);\nINSERT INTO two VALUES (1);\n")
    with pytest.raises(MigrationError) as caught:
        migrate.lambda_handler({}, context)
    assert str(caught.value).startswith(f"{FILE}, statement 1 of 2 failed: (1050, ")
    assert f"`make migrate-resolve ENV=<environment> MIGRATION={FILE} STATEMENT=applied`" in str(caught.value)
    migrate.lambda_handler({"resolve": FILE, "statement": "applied"}, context)
    assert migrate.lambda_handler({}, context)["applied"] == [FILE]
    assert query("SELECT a FROM two") == [(1,)]


def test_an_error_after_a_procedure_s_first_result_is_its_own(deployed: Path, context: Any, query: Query) -> None:
    query("CREATE PROCEDURE p() BEGIN SELECT 1; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no more'; END")
    (deployed / "0002_more.sql").write_text("CALL p();\n")
    with pytest.raises(MigrationError, match=rf"^{FILE}, statement 1 of 1 failed: .*no more"):
        migrate.lambda_handler({}, context)


def test_a_migration_may_set_autocommit(deployed: Path, context: Any, query: Query) -> None:
    (deployed / "0002_more.sql").write_text(
        "SET autocommit = 1;\nINSERT INTO pulse VALUES (2);\nINSERT INTO no VALUES (3);\n"
    )
    with pytest.raises(MigrationError, match=r"statement 3 of 3 failed"):
        migrate.lambda_handler({}, context)
    assert query("SELECT a FROM pulse") == [(1,), (2,)]
    assert query("SELECT statements FROM migration WHERE origin = 'project' AND number = 2") == [(2,)]
