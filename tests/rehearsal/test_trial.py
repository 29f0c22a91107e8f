"""What a migration's statement is said to do: a corpus, each with what a reviewer has to be asked about."""

from collections.abc import Iterator

import pytest

from local.mysql_server import MySQLServer
from mysql_jobs.migration_files import Migration
from rehearsal.finding import Finding
from rehearsal.trial import Trial

BASE = (
    """CREATE TABLE sale (
        id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
        kind VARCHAR(40) NOT NULL,
        state ENUM('new', 'paid', 'void') NOT NULL,
        amount DECIMAL(12, 4) NOT NULL,
        note TEXT NULL,
        pieces INT NULL,
        small TINYINT UNSIGNED NOT NULL,
        at DATETIME(6) NOT NULL,
        KEY by_at (at))""",
    "CREATE TABLE customer (id INT PRIMARY KEY, name VARCHAR(80) CHARACTER SET latin1 NOT NULL)",
    """CREATE TABLE monthly (day DATE NOT NULL PRIMARY KEY) PARTITION BY RANGE COLUMNS (day)
        (PARTITION p1 VALUES LESS THAN ('2027-01-01'), PARTITION p2 VALUES LESS THAN (MAXVALUE))""",
    "CREATE TABLE empty_rule (n INT NOT NULL, CHECK (n = 7))",
)
ASKED: dict[str, set[str]] = {
    # Rows, or what is in them, would be gone.
    "DROP TABLE sale": {"data"},
    "/* tidy up */ drop table if exists sale, customer": {"data"},
    "ALTER TABLE sale DROP COLUMN note": {"data"},
    "ALTER TABLE sale DROP note, ADD remark TEXT NULL": {"data"},
    "ALTER TABLE monthly DROP PARTITION p1": {"data"},
    "ALTER TABLE monthly TRUNCATE PARTITION p1": {"data"},
    "TRUNCATE TABLE customer": {"data", "blocks"},
    "DELETE FROM sale WHERE at < '2020-01-01'": {"data"},
    "DELETE sale FROM sale JOIN customer ON customer.id = sale.id": {"data"},
    "UPDATE sale SET pieces = 0 WHERE pieces IS NULL": {"data"},
    "REPLACE INTO customer VALUES (1, 'a')": {"data"},
    "INSERT INTO customer VALUES (1, 'a') ON DUPLICATE KEY UPDATE name = 'a'": {"data"},
    # Not each row that is allowed fits.
    "ALTER TABLE sale MODIFY amount DECIMAL(10, 4) NOT NULL": {"data", "blocks"},
    "ALTER TABLE sale MODIFY amount DECIMAL(12, 2) NOT NULL": {"data", "blocks"},
    "ALTER TABLE sale MODIFY kind VARCHAR(20) NOT NULL": {"data", "blocks"},
    "ALTER TABLE sale MODIFY kind VARCHAR(40) CHARACTER SET latin1 NOT NULL": {"data", "blocks"},
    "ALTER TABLE sale MODIFY state ENUM('new', 'paid') NOT NULL": {"data", "blocks"},
    "ALTER TABLE sale MODIFY at DATETIME NOT NULL": {"data", "blocks"},
    "ALTER TABLE sale MODIFY at DATE NOT NULL": {"data", "blocks"},
    "ALTER TABLE sale MODIFY at TIMESTAMP(6) NOT NULL": {"data", "blocks"},
    "ALTER TABLE sale MODIFY note TINYTEXT NULL": {"data", "blocks"},
    "ALTER TABLE sale MODIFY note JSON NULL": {"data", "blocks"},
    "ALTER TABLE sale MODIFY pieces SMALLINT NULL": {"data", "blocks"},
    "ALTER TABLE sale MODIFY pieces INT UNSIGNED NULL": {"data", "blocks"},
    "ALTER TABLE sale MODIFY pieces INT NOT NULL": {"data"},
    "ALTER TABLE sale MODIFY small BIT(1) NOT NULL": {"data", "blocks"},
    "ALTER TABLE sale ADD UNIQUE (kind)": {"data"},
    "CREATE UNIQUE INDEX one ON sale (pieces, state)": {"data"},
    "ALTER TABLE sale ADD CHECK (amount > 0)": {"data", "blocks"},
    "ALTER TABLE sale ADD FOREIGN KEY (pieces) REFERENCES customer (id)": {"data", "blocks"},
    "ALTER TABLE sale ADD day DATE NOT NULL": {"data"},
    # Writers wait while it runs.
    "ALTER TABLE sale MODIFY pieces BIGINT NULL": {"blocks"},
    "ALTER TABLE sale MODIFY kind VARCHAR(100) NOT NULL": {"blocks"},
    "ALTER TABLE sale ADD FULLTEXT (note)": {"blocks"},
    "ALTER TABLE sale ADD CHECK (pieces IS NULL OR pieces < 3000000000)": {"blocks"},
    "ALTER TABLE customer CONVERT TO CHARACTER SET utf8mb4": {"blocks"},
    "ALTER TABLE sale PARTITION BY HASH (id) PARTITIONS 4": {"blocks"},
    # Somebody may do more.
    "CREATE USER app@'%' IDENTIFIED BY 'secret'": {"access"},
    "GRANT SELECT ON *.* TO admin@'%'": set(),
    "CREATE TRIGGER counts BEFORE INSERT ON sale FOR EACH ROW SET NEW.pieces = 1": {"access"},
    "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM sale": {"access"},
    "CREATE PROCEDURE tidy() DELETE FROM sale": {"access"},
    "CREATE FUNCTION one() RETURNS INT DETERMINISTIC RETURN 1": {"access"},
    "CREATE VIEW sold AS SELECT * FROM sale": {"access"},
    # Nobody knows, or it does not work.
    "PREPARE hidden FROM 'DELETE FROM sale'": set(),
    "ALTER TABLE nowhere ADD n INT": {"mistake"},
    "ALTER TABLE sale ADD kind INT": {"mistake"},
    "SELEC 1": {"mistake"},
}
HARMLESS = (
    "CREATE TABLE other (id INT PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS sale (id INT)",
    "ALTER TABLE sale ADD COLUMN colour VARCHAR(10) NULL",
    "ALTER TABLE sale ADD COLUMN colour VARCHAR(10) NOT NULL DEFAULT 'red' AFTER kind",
    "ALTER TABLE sale ADD KEY by_kind (kind), ADD KEY by_state (state)",
    "CREATE INDEX by_pieces ON sale (pieces)",
    "DROP INDEX by_at ON sale",
    "ALTER TABLE sale RENAME INDEX by_at TO by_time",
    "ALTER TABLE sale MODIFY kind VARCHAR(60) NOT NULL",
    "ALTER TABLE sale MODIFY state ENUM('new', 'paid', 'void', 'lost') NOT NULL",
    "ALTER TABLE sale MODIFY note TEXT NULL COMMENT 'by hand'",
    "ALTER TABLE sale ALTER COLUMN pieces SET DEFAULT 5",
    "ALTER TABLE sale RENAME COLUMN note TO remark",
    "ALTER TABLE sale ENGINE = InnoDB",
    "ALTER TABLE sale COMMENT = 'what was sold'",
    "ALTER TABLE sale ADD UNIQUE (id, kind)",
    "RENAME TABLE sale TO sold",
    "INSERT INTO customer (id, name) VALUES (1, 'DROP TABLE sale; ON DUPLICATE KEY UPDATE')",
    "INSERT INTO customer SELECT id, kind FROM sale WHERE id < 0",
    "SELECT 'DELETE FROM sale'",
    "SET SESSION sql_mode = 'ANSI'",
    "ANALYZE TABLE sale",
    "DROP TABLE IF EXISTS nowhere",
    "CREATE TABLE copied LIKE sale",
    "CREATE TABLE counted AS SELECT state, COUNT(*) AS n FROM sale GROUP BY state",
    "DO 1",
)


@pytest.fixture
def trial(server: MySQLServer) -> Iterator[Trial]:
    with Trial.on(server) as trial:
        assert list(trial.apply([_migration(1, *BASE)])) == []
        yield trial


def _migration(number: int, *statements: str) -> Migration:
    return Migration(origin="project", number=number, name=f"{number:04}_it", statements=statements)


def _asked(findings: list[Finding]) -> set[str]:
    return {str(each.kind) for each in findings} - {"note"}


@pytest.mark.parametrize("statement", ASKED)
def test_what_needs_a_yes_is_asked_about(statement: str, trial: Trial) -> None:
    findings = list(trial.findings(_migration(2, statement)))
    assert _asked(findings) == ASKED[statement], findings


@pytest.mark.parametrize("statement", HARMLESS)
def test_what_is_harmless_is_not_asked_about(statement: str, trial: Trial) -> None:
    findings = list(trial.findings(_migration(2, statement)))
    assert _asked(findings) == set(), findings


def test_a_merged_statement_that_this_server_refuses_is_not_passed_over(trial: Trial) -> None:
    """Like a procedure of RDS's own: the tables here are not those of the database then."""
    [found] = trial.apply([_migration(2, "CALL mysql.rds_set_configuration('binlog retention hours', 24)", "DO 1")])
    assert (found.kind, found.place) == ("unclassified", "migrations/0002_it.sql")
    assert "is merged, and refused by this server" in found.text
