"""The game day: an environment of its own goes through every bad day that can be arranged, and is removed again."""
