"""What a run reaches besides its database, as the job states in USES: bounded by its deadline, and gone when it ends.

Imported by runs of such jobs only. botocore and urllib3 are the job's own packages.
"""
