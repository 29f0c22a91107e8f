"""make doctor shows what the function found, and its status says whether something stops a deploy."""

from typing import Any
from unittest import mock

import pytest

from delivery.aws import Aws, FunctionFailed
from delivery.command import DONE, FAILED
from delivery.doctor import examine
from delivery.refusal import Refused
from tests.fixture import ENVIRONMENTS

STOPS = {"severity": "stops", "where": "binlog_format", "what": "is STATEMENT [no markup]", "remedy": "Set it to ROW"}
WARNS = {"severity": "warns", "where": "sql_mode", "what": "is not strict", "remedy": "Add STRICT_TRANS_TABLES"}


@pytest.mark.parametrize(
    ("findings", "status"), [([], DONE), ([WARNS], DONE), ([STOPS], FAILED), ([STOPS, WARNS], FAILED)]
)
def test_what_was_found_is_shown_and_what_stops_is_the_status(
    findings: list[dict[str, str]], status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    aws = _aws({"findings": findings})
    assert examine(ENVIRONMENTS["basic"], aws) == status
    aws.invoke.assert_called_once_with("basic-migrate", {"doctor": True})
    shown = capsys.readouterr().out
    for each in findings:
        assert all(text in shown for text in each.values())
    if findings:
        assert f"{sum(each is STOPS for each in findings)} of {len(findings)} would stop a deploy" in shown
    else:
        assert shown == "The database of basic is as its jobs need it.\n"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, r"There is no function basic-migrate: .* The first deploy asks the same before it changes anything"),
        ({"applied": []}, r"basic-migrate is of an engine without a doctor: `make deploy ENV=basic` first"),
        (FunctionFailed("lost"), r"basic-migrate could not examine the database: lost"),
    ],
)
def test_a_database_that_nobody_has_examined_is_not_said_to_be_right(answer: object, message: str) -> None:
    with pytest.raises(Refused, match=message):
        examine(ENVIRONMENTS["basic"], _aws(answer))


def _aws(answer: object) -> Any:
    given = {"side_effect": answer} if isinstance(answer, Exception) else {"return_value": answer}
    return mock.Mock(spec=Aws, invoke=mock.Mock(**given))
