"""docs/doctor.md has every line that the doctor may say, and says of each whether it stops."""

import ast
import re

from settings.project import ROOT

DOCTOR = ROOT / "lambda" / "mysql_jobs" / "doctor.py"


def test_every_line_is_documented_with_its_severity() -> None:
    rows = re.findall(r"^\| (.+?) \| (stops|warns) \|", (ROOT / "docs" / "doctor.md").read_text(), flags=re.MULTILINE)
    documented = {(where, severity) for cell, severity in rows for where in re.findall(r"`([^`]+)`", cell)}
    said = set()
    for call in ast.walk(ast.parse(DOCTOR.read_text())):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ("_stops", "_warns"):
            where = call.args[0]
            if isinstance(where, ast.Constant):
                said.add((str(where.value), call.func.id.removeprefix("_")))
    assert said <= documented
    assert len(said) > 8
