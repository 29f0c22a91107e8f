"""This machine as a small AWS: a MySQL server, an AWS emulator, and Lambda's runtime, frozen between invocations."""
