"""Single changes to real templates, each with what is wanted of the review: asked about, or harmless.

Left out is what fair reviewers judge differently: another time of a schedule (the report shows the next runs), a longer
timeout, a snapshot at deletion that becomes Retain, a session that ends sooner; and a security group's rule that is
written anew beside itself, which EC2 refuses as a duplicate.
"""

from tests.review.corpus import access, attacks, database, functions, network, rewrites, template, watching

CASES = [
    *watching.CASES,
    *database.CASES,
    *functions.CASES,
    *access.CASES,
    *network.CASES,
    *template.CASES,
    *rewrites.CASES,
    *attacks.CASES,
]
