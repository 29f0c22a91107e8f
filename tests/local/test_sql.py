"""What `python -m local.sql` prints is complete, however wide it is."""

import io

import pytest
from rich.console import Console

from local import sql

ROWS = [[1, "x" * 30, None], [2, "y" * 200, "[bold]"]]


@pytest.mark.parametrize("width", [40, 80, 300])
def test_no_value_is_cut_off(width: int) -> None:
    shown = _shown(["number", "note", "other"], ROWS, width)
    assert "…" not in shown
    assert shown.count("x") == 30
    assert shown.count("y") == 200
    assert ("NULL" in shown, "[bold]" in shown) == (True, True)


def test_what_fits_is_a_table_and_what_does_not_is_a_list() -> None:
    assert _shown(["a", "b"], [[1, 2]], 80).splitlines()[0].split() == ["a", "b"]
    assert _shown(["a", "b"], [[1, "x" * 100]], 80).splitlines()[0].strip() == "row 1"


def _shown(columns: list[str], rows: list[list[object]], width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(sql._result(columns, rows, console))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
