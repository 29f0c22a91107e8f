"""What many write: boto3 for the secret, PyMySQL for the rest, both made when the module is loaded."""

from __future__ import annotations

import importlib
from typing import Any

import pymysql

secrets_manager: Any = importlib.import_module("boto3").client("secretsmanager")


def lambda_handler(event: object, context: object) -> str:
    """Never called: it is the start that is measured."""
    return pymysql.__version__
