"""The failures that this project is built against, reproduced: each known-bad pattern beside ours."""
