"""A secret is known by its name or by its form, and what settings are made of is none.

No secret stands here as it is written: what searches repositories for them would find it.
"""

import base64
import json
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings.secret_text import secret_by_name, secret_by_value

WORDS = st.sampled_from(
    (
        "api",
        "billing",
        "bucket",
        "central",
        "customer",
        "daily",
        "europe",
        "export",
        "export2024",
        "live",
        "report",
        "v2",
    )
)
ALPHANUMERIC = string.ascii_letters + string.digits


@pytest.mark.parametrize(
    "name",
    [
        *(
            "DB_PASSWORD",
            "PGPASSWORD",
            "MYSQL_PWD",
            "SMTP_PASS",
            "API_TOKEN",
            "authToken",
            "GITHUB_TOKEN_2",
            "CLIENT_SECRET",
        ),
        *("API_KEY", "APIKEY", "billingApiKey", "STRIPE_PRIVATE_KEY", "CREDENTIALS", "AUTHORIZATION", "SECRET_ID"),
    ],
)
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert secret_by_name(name, "x")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "API_URL",
            "LOG_LEVEL",
            "TOKEN_URL",
            "SECRET_ARN",
            "CLIENT_SECRET_NAME",
            "API_KEY_HEADER",
            "PASSWORD_MIN_LENGTH",
        ),
        *(
            "MAX_TOKENS",
            "TOKENIZER",
            "SECRETARY",
            "SORT_KEY",
            "KMS_KEY_ID",
            "TOKEN_TTL_SECONDS",
            "BYPASS",
            "COMPASS_HOST",
        ),
    ],
)
def test_what_is_about_a_secret_is_none(name: str) -> None:
    assert not secret_by_name(name, "x")


@pytest.mark.parametrize("value", ["true", "FALSE", "off", "No"])
def test_a_flag_is_no_secret(value: str) -> None:
    assert not secret_by_name("USE_TOKEN", value)


@pytest.mark.parametrize(
    "value",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "-----BEGIN " + r"RSA PRIVATE KEY-----\nMIIE",
        "{{resolve:secretsmanager:billing}}",
        "https://hooks.slack.com" + "/services/T0/B0/x",
        "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345",
        "glpat-" + "0123456789abcdefghij",
        "https://api.example.com/v1?token=" + "4711",
        "Server=db;Uid=jobs;Pwd=" + "hunter2",
        '{"user": "jobs", "password": ' + '"hunter2"}',
    ],
)
def test_a_secret_is_known_by_its_form(value: str) -> None:
    assert secret_by_value("IT", value)
    assert secret_by_value("IT", f"see {value}")


@given(
    st.sampled_from(["https", "mysql", "redis", "postgresql+psycopg"]),
    st.text(ALPHANUMERIC, max_size=8),
    st.text(f"{ALPHANUMERIC}%-._~!$&'()*+,;=", min_size=1, max_size=20),
)
def test_a_password_in_an_address_is_found(scheme: str, user: str, password: str) -> None:
    assert secret_by_value("IT", f"{scheme}://{user}:{password}@db.example.com:3306/shop")


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=9), min_size=1), st.binary(min_size=16, max_size=32))
def test_a_json_web_token_is_found(claims: dict[str, str], signature: bytes) -> None:
    parts = (json.dumps({"alg": "HS256"}).encode(), json.dumps(claims).encode(), signature)
    token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    assert secret_by_value("IT", token)


@pytest.mark.parametrize(
    ("alphabet", "length"),
    [
        (f"{ALPHANUMERIC}+/", 40),  # the secret key of AWS
        (f"{ALPHANUMERIC}-_", 43),  # Python's secrets.token_urlsafe()
        (ALPHANUMERIC, 32),
        ("0123456789abcdef", 32),
        ("0123456789abcdef", 64),  # Python's secrets.token_hex()
        (string.ascii_lowercase + string.digits, 40),
    ],
)
def test_of_long_random_texts_few_are_missed(alphabet: str, length: int) -> None:
    chance = random.Random(length)  # noqa: S311 (the same in each run)
    texts = ["".join(chance.choices(alphabet, k=length)) for _ in range(1000)]
    assert sum(secret_by_value("IT", each) is None for each in texts) <= 50


@pytest.mark.parametrize(
    "value",
    [
        "",
        "DEBUG",
        "0.25",
        "111111111111",
        "2026-01-01T00:00:00+00:00",
        "arn:aws:secretsmanager:eu-central-1:111111111111:secret:live/billing-AbCdEf",
        "arn:aws:iam::111111111111:role/MyStack-JobFunctionServiceRole76856677-AbC1eF123GhI",
        "mystack-rollupexportsbucket4f2a1c3d-1a2b3c4d5e6f7",
        "https://sqs.eu-central-1.amazonaws.com/111111111111/orders.fifo",
        "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/live",
        "https://example.com:8443/a@b",
        "subnet-0a1b2c3d4e5f67890,subnet-0a1b2c3d4e5f67891",
        "vpce-0a1b2c3d4e5f67890-1a2b3c4d.s3.eu-central-1.vpce.amazonaws.com",
        "Exports/Daily/Rollup2024/AllTheThings1/Customer360View",
        "AllCustomersOfTheShopAndTheirOrders2024ByMonthAndDay",
        "Rechtsschutzversicherungsgesellschaften",
        "global-exports-bucket-of-the-shop",
        "app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        '{"eu-central-1a": 3, "eu-central-1b": 4, "eu-west-1a": 5}',
    ],
)
def test_what_settings_are_made_of_is_no_secret(value: str) -> None:
    assert secret_by_value("IT", value) is None


@given(st.uuids(version=4), st.sampled_from(["{0}", "tenant-{0}", "https://api.example.com/tenants/{0}/x", "{0.hex}"]))
def test_a_uuid_is_no_secret(uuid: object, form: str) -> None:
    assert secret_by_value("TENANT", form.format(uuid)) is None


@given(st.lists(WORDS, min_size=1, max_size=8), st.sampled_from("-_/."), st.integers(0, 10**12), st.booleans())
def test_names_addresses_and_arns_of_words_are_no_secrets(
    words: list[str], between: str, number: int, capital: bool
) -> None:
    name = between.join(each.capitalize() if capital else each for each in (*words, str(number)))
    for value in (name, f"https://{words[0]}.example.com:8443/{name}?since={number}", f"arn:aws:s3:::{name}/*"):
        assert secret_by_value("IT", value) is None


def test_a_digest_may_be_shown_where_it_is_called_one() -> None:
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
    assert secret_by_value("RELEASE_COMMIT", digest) is None
    assert secret_by_value("RELEASE", digest) == "a long random text"
