"""Commands that compare an environment with what is deployed, deploy it, or destroy it, each after checks."""
