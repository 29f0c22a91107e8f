"""make adopt: what AWS says of a database that is there, written down for an environment. Nothing is changed in AWS."""
