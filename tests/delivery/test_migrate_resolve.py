"""make migrate-resolve takes no answer for a yes that the function did not give."""

from typing import Any
from unittest import mock

import pytest

from delivery.aws import Aws, FunctionFailed
from delivery.command import DONE
from delivery.migrate_resolve import resolve
from delivery.refusal import Refused
from tests.fixture import ENVIRONMENTS

FILE = "migrations/0003_x.sql"


def test_the_function_of_the_environment_is_asked_and_its_answer_shown(capsys: pytest.CaptureFixture[str]) -> None:
    aws = _aws({"resolved": f"{FILE}, statement 2 of 3", "statement": "applied", "text": "TRUNCATE a"})
    assert resolve(ENVIRONMENTS["basic"], aws, migration=FILE, statement="applied") == DONE
    aws.invoke.assert_called_once_with("basic-migrate", {"resolve": FILE, "statement": "applied"})
    assert capsys.readouterr().out.startswith(f"Noted as applied: {FILE}, statement 2 of 3\n\nTRUNCATE a\n")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, r"There is no function basic-migrate: .* Deploy once without that migration"),
        ({"applied": []}, r"basic-migrate is of an engine that can't note it\. Deploy once without that migration"),
        (FunctionFailed("there are none"), r"basic-migrate did not note it: there are none"),
    ],
)
def test_what_the_function_did_not_note_is_refused(answer: object, message: str) -> None:
    with pytest.raises(Refused, match=message):
        resolve(ENVIRONMENTS["basic"], _aws(answer), migration=FILE, statement="rolled-back")


def _aws(answer: object) -> Any:
    given = {"side_effect": answer} if isinstance(answer, Exception) else {"return_value": answer}
    return mock.Mock(spec=Aws, invoke=mock.Mock(**given))
