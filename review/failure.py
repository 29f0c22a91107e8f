"""Why there is no report."""


class ReviewFailed(Exception):
    """The comparison failed; the message says why, and what to do."""
