"""What `python -m local.invoke` says before it asks anyone."""

import sys

import pytest

from local import invoke


@pytest.mark.parametrize("event", ["", "{dry_run: true}", "{'dry_run': true}"])
def test_an_event_that_is_no_json_is_not_sent(
    event: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["invoke", "http://127.0.0.1:1", "local-heartbeat", event])
    with pytest.raises(SystemExit) as ended:
        invoke.main()
    assert ended.value.code == 2
    assert "error: the event is no JSON: Expecting" in capsys.readouterr().err
