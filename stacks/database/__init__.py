"""RDS MySQL, and what leads to it."""
