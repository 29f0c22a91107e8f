"""What is in the function's zip: the templates' snapshots leave hashes out, this one says which file changed."""

import hashlib
from importlib.metadata import version
from pathlib import Path

from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from stacks.function_code import bundle


def test_function_code(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    bundle(tmp_path, region="eu-central-1")
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    own = {str(path.relative_to(tmp_path)): path for path in files if "pymysql" not in str(path).lower()}
    described = {name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for name, path in own.items()}
    assert {**described, "PyMySQL": version("PyMySQL")} == snapshot(extension_class=JSONSnapshotExtension)
