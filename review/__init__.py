"""What a change does to every environment, before it is deployed: offline, from templates alone."""
