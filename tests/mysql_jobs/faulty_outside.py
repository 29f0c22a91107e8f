"""A job that reaches for one thing besides its database, as the file STORM names, and without it for everything."""

import gc
import os
from pathlib import Path
from typing import Any

from mysql_jobs.outside.stated import UsesError
from mysql_jobs.run import Run

API, BUCKET, SECRET = os.environ["API"], "my-exports", "billing-api"
USES = {
    "s3": {f"{BUCKET}/*": ("PutObject", "GetObject")},
    "secret": (SECRET,),
    "internet": (API,),
}
TABLES: dict[str, tuple[str, ...]] = {}
KEPT: list[Any] = []
"""What earlier runs left in the environment: first of each, a way to use it."""


def run(run: Run) -> dict[str, Any]:
    """Behave."""
    storm = Path(os.environ["STORM"])
    globals()[storm.read_text() if storm.exists() else "work"](run)
    return {}


def work(run: Run) -> None:
    gc.collect()  # whatever an earlier run left comes to its end now
    for use, *_more in KEPT:
        try:
            use()
        except UsesError:
            continue
        raise AssertionError("what an earlier run has left works in a later one")
    for each in (get, post, put_object, get_object, secret):
        each(run)


def get(run: Run) -> None:
    assert run.http.request("GET", f"https://{API}/bills").data == b"hello"


def post(run: Run) -> None:
    assert run.http.request("POST", f"https://{API}/bills", body=b"x").data == b"hello"


def post_large(run: Run) -> None:
    run.http.request("POST", f"https://{API}/bills", body=b"x" * 50_000_000)


def put_object(run: Run) -> None:
    run.client("s3").put_object(Bucket=BUCKET, Key="x", Body=b"x")


def put_large_object(run: Run) -> None:
    run.client("s3").put_object(Bucket=BUCKET, Key="x", Body=b"x" * 50_000_000)


def get_object(run: Run) -> None:
    assert run.client("s3").get_object(Bucket=BUCKET, Key="x")["Body"].read() == b"hello"


def secret(run: Run) -> None:
    assert run.secret(SECRET) == "the key of the API"


def half_read_answer(run: Run) -> None:
    run.http.request("GET", f"https://{API}/bills", preload_content=False).read(2)


def half_read_object(run: Run) -> None:
    run.client("s3").get_object(Bucket=BUCKET, Key="x")["Body"].read(2)


def keep_http(run: Run) -> None:
    http, pool = run.http, run.http.connection_from_url(f"https://{API}")
    answer = http.request("GET", f"https://{API}/bills", preload_content=False)
    answer.read(2)
    KEPT.append((lambda: pool.request("GET", "/bills"), run, http, answer))


def keep_client(run: Run) -> None:
    client = run.client("s3")
    body = client.get_object(Bucket=BUCKET, Key="x")["Body"]
    body.read(2)
    KEPT.append((lambda: client.put_object(Bucket=BUCKET, Key="x", Body=b"x"), run, body))


def keep_run(run: Run) -> None:
    secret(run)
    KEPT.append((lambda: run.secret(SECRET), run))


def undeclared_host(run: Run) -> None:
    run.http.request("GET", "https://other.example/")


def undeclared_service(run: Run) -> None:
    run.client("sqs")


def undeclared_secret(run: Run) -> None:
    run.secret("another")
