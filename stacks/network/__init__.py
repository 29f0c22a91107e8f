"""The network that everything runs in."""
