"""The schema has no name that MySQL reserves, whatever version the server has."""

import pymysql
import pytest

from local.mysql_server import MySQLServer
from settings.reserved_words import RESERVED_WORDS

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SYNTAX_ERROR = 1064


def test_every_word_that_a_server_does_not_take_as_a_name_is_reserved(server: MySQLServer) -> None:
    connection = server.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT LOWER(word) FROM information_schema.keywords")
            words = [word for (word,) in cursor.fetchall()]
            refused = {word for word in words if not _is_a_name(cursor, word)}
    finally:
        connection.close()
    assert len(refused) > 200
    assert refused <= RESERVED_WORDS


def _is_a_name(cursor: pymysql.cursors.Cursor, word: str) -> bool:
    """Whether it stands in a statement without quotes; there is no such schema, so the statement does nothing."""
    try:
        cursor.execute(f"CREATE SCHEMA {word} COLLATE no_such")
    except pymysql.MySQLError as error:
        return bool(error.args[0] != SYNTAX_ERROR)
    raise AssertionError("there is no such collation")
