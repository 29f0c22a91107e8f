"""This machine as a small AWS: MySQL server, frozen-and-thawed Lambda environment, local deployment."""
