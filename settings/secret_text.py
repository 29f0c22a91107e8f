"""What looks like a secret: by the name that it has, or by how the text itself is.

Nobody can tell for sure. What is said here takes for a secret what has the form of one, and lets pass what settings are
made of: addresses, ARNs, names, UUIDs, numbers, flags, times.
"""

from __future__ import annotations

import re

MEANT = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET(?!AR)|CREDENTIAL|(^|_)(PASS|PWD|BEARER|AUTHORIZATION)(_|$)|PWD$"
    r"|TOKEN(?!S|I[ZS])|(API|APP|AUTH|ACCESS|PRIVATE|SHARED|MASTER|SIGNING|ENCRYPTION|DECRYPTION|HMAC|SSH|ACCOUNT)_?KEY"
)
"""Names of secrets."""
ABOUT = (
    *("ARN", "NAME", "ALIAS", "URL", "URI", "ENDPOINT", "HOST", "PORT", "PATH", "REGION", "ISSUER", "AUDIENCE"),
    *("HEADER", "FIELD", "COLUMN", "TABLE", "PREFIX", "TYPE", "VERSION", "ENABLED", "REQUIRED"),
    *("LENGTH", "SIZE", "LIMIT", "COUNT", "TTL", "SECONDS", "MINUTES", "HOURS", "DAYS"),
)
"""With one of these words at its end, a name says something about a secret, and names none."""
FLAGS = ("true", "false", "on", "off", "yes", "no")

FORMS = {
    r"\{\{resolve:|\$\{Token\[": "a reference, in whose place the deploy writes what it leads to",
    r"-----BEGIN ": "a key in PEM",
    r"\b(AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b": "an access key of AWS",
    r"\beyJ[\w-]{5,}\.[\w-]{2,}\.": "a JSON Web Token",
    r"(?i)\b[a-z][a-z0-9+.-]*://[^/?#\s:@]*:[^/?#\s@]+@": "an address with a password in it",
    # In an address's query, a connection string or JSON.
    r"(?i)\b(password|passwd|pwd|secret|token|access_?token|api_?key|account_?key|shared_?access_?key|sig)"
    r"(=|[\"']\s*:\s*[\"'])[^&;\s\"']": "a text with a password or a key in it",
    r"\bhooks\.slack\.com/services/\w|\bdiscord(app)?\.com/api/webhooks/\w": "an address that is itself a secret",
    # As those who make them say, so that they are found: https://github.com/gitleaks/gitleaks
    r"\b((gh[oprsu]|github_pat|npm|hf|whsec|[rs]k_live|[rs]k_test)_|AIza|pypi-AgEI)[A-Za-z0-9]{16}"
    r"|\b(glpat|gldt|glrt|xox[abeoprs])-[\w-]{10}": "a token of a service that has a form of its own for them",
}  # fmt: skip
"""Secrets that are known by their form, and what each is called."""

UUID = r"\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b|\b[0-9a-f]{12}[47][0-9a-f]{3}[89ab][0-9a-f]{15}\b"
DIGEST = r"\b(md5|sha\d+)[:-][0-9a-fA-F]+\b"
OPEN = re.compile(f"{UUID}|{DIGEST}")
"""Random to look at, and no secret."""
DIGESTS = re.compile(r"(^|_)(COMMIT|REVISION|DIGEST|CHECKSUM|HASH|(GIT_)?SHA\d*)$")
"""Names of what is written as hexadecimal digits for all to see."""
MIXED = re.compile(r"[A-Za-z0-9+/_-]{20,}")
"""As base64 writes what is random, also in addresses."""
PLAIN = re.compile(r"[a-z0-9]{24,}|[A-Z0-9]{24,}")
HEXADECIMAL = re.compile(r"(?<![A-Za-z0-9])(?=[0-9]*[a-fA-F])(?=[a-fA-F]*[0-9])[0-9a-fA-F]{32,}(?![A-Za-z0-9])")
TURN = re.compile(r"(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Where, in what people write, a word ends and another or a number begins."""
LEAST_TURNS = 9
"""The 8 digits that CloudFormation writes behind a name can have 8."""
TURNS_OF_A_CHARACTER = 0.25
"""Of what is random in small and capital letters, about every second begins another word; of names that are made of
words, every sixth."""


def secret_by_name(name: str, value: str) -> bool:
    """Whether `name` is that of a secret, if `value` can be one."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()
    return MEANT.search(words) is not None and words.rpartition("_")[2] not in ABOUT and value.lower() not in FLAGS


def secret_by_value(name: str, value: str) -> str | None:
    """What secret `value` looks like, in words, if it does; as `name` is called, it may be a digest."""
    for form, called in FORMS.items():
        if re.search(form, value):
            return called
    if DIGESTS.search(name.upper()) and re.fullmatch("[0-9a-fA-F]+", value):
        return None
    return "a long random text" if _random(OPEN.sub(" ", value)) else None


def _random(text: str) -> bool:
    mixed = (each for each in MIXED.findall(text) if re.search("[a-z]", each) and re.search("[A-Z]", each))
    return (
        HEXADECIMAL.search(text) is not None
        or any(_turns(each) >= LEAST_TURNS for each in PLAIN.findall(text))
        or any(_turns(each) >= max(LEAST_TURNS, TURNS_OF_A_CHARACTER * len(each)) for each in mixed)
    )


def _turns(text: str) -> int:
    return len(TURN.findall(text))
