"""What runs: the migrations at deploy, each job on its schedule."""
