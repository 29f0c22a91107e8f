"""Runs a job of a kept local environment by hand: python -m local.invoke URL FUNCTION EVENT."""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request
from http import HTTPStatus


def main() -> int:
    """Run the program; returns its exit status: 1 if the emulator does not answer or the function failed."""
    parser = argparse.ArgumentParser(prog="python -m local.invoke", description=__doc__)
    parser.add_argument("url", help="the emulator's address, as make run KEEP=1 named it")
    parser.add_argument("function", help="the function's name, like local-heartbeat")
    parser.add_argument("event", help="the event, in JSON")
    arguments = parser.parse_args()
    try:
        json.loads(arguments.event)
    except ValueError as error:
        parser.error(f"the event is no JSON: {error}")
    address = f"{arguments.url}/2015-03-31/functions/{arguments.function}/invocations"
    request = urllib.request.Request(address, data=arguments.event.encode(), method="POST")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 (the address is the user's own)
            sys.stdout.write(answer.read().decode() + "\n")
            return 1 if answer.headers["X-Amz-Function-Error"] else 0
    except urllib.error.HTTPError as error:
        missing = f"there is no function {arguments.function}; they are called local-<job>"
        parser.exit(1, f"{missing if error.code == HTTPStatus.NOT_FOUND else f'{address}: {error}'}\n")
    except (urllib.error.URLError, ValueError) as error:
        parser.exit(1, f"{address}: {error}\n")


if __name__ == "__main__":
    sys.exit(main())
