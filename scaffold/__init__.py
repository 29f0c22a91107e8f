"""A new job: module, migration, test and an entry in an environment file, which work as they are."""
