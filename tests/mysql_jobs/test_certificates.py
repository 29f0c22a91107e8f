"""The certificate authorities a function trusts, as lambda/mysql_jobs/certificates/update.mjs wrote them."""

import shutil
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

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
    if (CERTIFICATES / "bundles").is_dir():
        shutil.copytree(CERTIFICATES / "bundles", tmp_path / "bundles")
    update(tmp_path)
    assert contents(CERTIFICATES) == contents(tmp_path)


def test_the_script_removes_a_region_that_is_gone_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "eu-atlantis-1.pem").touch()
    (tmp_path / "own-key.pem").touch()
    update(tmp_path)
    assert contents(tmp_path).keys() == contents(CERTIFICATES).keys() | {"own-key.pem"}


def test_a_region_comes_from_a_bundle_of_aws_where_the_package_has_none(tmp_path: Path) -> None:
    bundle = tmp_path / "bundles" / "eu-atlantis-1.pem"
    bundle.parent.mkdir()
    bundle.write_text("".join(root(f"Amazon RDS eu-atlantis-1 Root CA {key} G1") for key in ("RSA2048", "ECC384")))
    update(tmp_path)
    names = [f"Amazon RDS eu-atlantis-1 Root CA {key} G1" for key in ("ECC384", "RSA2048")]
    assert sorted(map(name, authorities(file=tmp_path / "eu-atlantis-1.pem"))) == names + AMAZON_TRUST_ROOTS
    assert contents(tmp_path).keys() == contents(CERTIFICATES).keys() | {"eu-atlantis-1.pem"}


def test_a_bundle_with_any_other_authority_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bundles").mkdir()
    (tmp_path / "bundles" / "eu-atlantis-1.pem").write_text(root("Somebody Root CA"))
    with pytest.raises(subprocess.CalledProcessError):
        update(tmp_path)
    assert list(tmp_path.glob("*.pem")) == []


def root(common_name: str) -> str:
    """A root of this name, for a year."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


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
