"""Where the database is, as each handler here reads it from its environment variables."""

from __future__ import annotations

import os
from typing import Any

DATABASE: dict[str, Any] = {
    "host": os.environ["DATABASE_HOST"],
    "port": int(os.environ["DATABASE_PORT"]),
    "user": os.environ["DATABASE_USER"],
    "password": os.environ["DATABASE_PASSWORD"],
    "database": os.environ["DATABASE_NAME"],
    "ssl_ca": os.environ["DATABASE_CERTIFICATES"],
}
SQLALCHEMY: dict[str, Any] = {
    "drivername": "mysql+pymysql",
    "username": DATABASE["user"],
    "query": {"ssl_ca": DATABASE["ssl_ca"]},
    **{name: DATABASE[name] for name in ("host", "port", "password", "database")},
}
