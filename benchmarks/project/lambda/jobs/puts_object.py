"""A job that puts an object into S3."""

from mysql_jobs import Run

USES = {"s3": {"my-exports/*": ("PutObject",)}}


def run(run: Run) -> None:
    """Put it."""
    run.client("s3").put_object(Bucket="my-exports", Key="x", Body=b"x")
