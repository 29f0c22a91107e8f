"""Single changes to real templates, each with what is wanted of the review: asked about, or harmless."""

from tests.review.corpus import access, database, functions, network, rewrites, template, watching

CASES = [
    *watching.CASES,
    *database.CASES,
    *functions.CASES,
    *access.CASES,
    *network.CASES,
    *template.CASES,
    *rewrites.CASES,
]
