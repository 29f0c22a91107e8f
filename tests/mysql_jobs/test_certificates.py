"""The certificate authorities a function trusts, as lambda/mysql_jobs/certificates/update.mjs wrote them."""

import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from settings.project import ENGINE

CERTIFICATES = ENGINE / "certificates"
NODE = Path(sys.executable).with_name("node")
FILES = sorted(CERTIFICATES.glob("*.pem"))
AMAZON_TRUST_ROOTS = [
    "Amazon Root CA 1",
    "Amazon Root CA 2",
    "Amazon Root CA 3",
    "Amazon Root CA 4",
    "Starfield Services Root Certificate Authority - G2",
]

each_region = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def update(folder: Path) -> None:
    subprocess.run([NODE, CERTIFICATES / "update.mjs", folder], check=True)


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.glob("*.pem")}


# The standard library parses, not `cryptography`: that one objects to the Starfield root, whose serial number is 0.
def authorities(*, file: Path | None = None, pem: str | None = None) -> list[dict[str, Any]]:
    """The certificates a TLS context trusts as authorities once it has loaded a file or a text."""
    return ssl.create_default_context(cafile=file, cadata=pem).get_ca_certs()


def name(authority: dict[str, Any]) -> str:
    return str(dict(pair for pairs in authority["subject"] for pair in pairs)["commonName"])


def expiry(authority: dict[str, Any]) -> int:
    return ssl.cert_time_to_seconds(authority["notAfter"])


def test_the_committed_files_are_what_the_script_writes(tmp_path: Path) -> None:
    update(tmp_path)
    assert contents(CERTIFICATES) == contents(tmp_path)


def test_the_script_removes_a_region_that_is_gone_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "eu-atlantis-1.pem").touch()
    (tmp_path / "own-key.pem").touch()
    update(tmp_path)
    assert contents(tmp_path).keys() == contents(CERTIFICATES).keys() | {"own-key.pem"}


@pytest.mark.parametrize("region", ["eu-central-1", "us-east-1"])
def test_the_common_regions_have_a_file(region: str) -> None:
    assert CERTIFICATES / f"{region}.pem" in FILES


@each_region
def test_a_context_trusts_the_regions_authorities_only(
    file: Path,
) -> None:
    rds_roots = [f"Amazon RDS {file.stem} Root CA {key} G1" for key in ("ECC384", "RSA2048", "RSA4096")]
    assert sorted(map(name, authorities(file=file))) == rds_roots + AMAZON_TRUST_ROOTS


@each_region
def test_no_certificate_has_expired(file: Path) -> None:
    assert [name(authority) for authority in authorities(file=file) if expiry(authority) < time.time()] == []


@each_region
def test_a_comment_names_each_certificate_and_its_expiry(file: Path) -> None:
    for part in file.read_text().split("# ")[1:]:
        comment, pem = part.split("\n", maxsplit=1)
        [authority] = authorities(pem=pem)
        expires = time.strftime("%Y-%m-%d", time.gmtime(expiry(authority)))
        assert comment == f"{name(authority)}, expires {expires}"


@each_region
def test_a_file_is_small_as_it_goes_into_a_functions_zip(file: Path) -> None:
    assert file.stat().st_size < 40_000
