"""What tests of jobs need: a pytest plugin whose fixtures run a job as Lambda would, on a real MySQL server.

Loaded by pyproject.toml, so that a test in tests/jobs/ needs no conftest. The fixtures are in plugin.py.
"""
