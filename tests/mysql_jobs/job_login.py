"""How the function of the job pulse logs in, in the schema of a test."""

from collections.abc import Mapping


def job_login(variables: Mapping[str, str]) -> dict[str, str]:
    """Its environment variables, given those of the migrations."""
    return {
        "DATABASE_USER": f"job_{variables['DATABASE_NAME']}",
        "DATABASE_AUTH": "secret",
        "DATABASE_SECRET": f"{variables['JOBS_SECRETS']}pulse",
    }
