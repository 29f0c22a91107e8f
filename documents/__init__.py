"""Documents that are generated: the picture, the tables of access, the snapshots, the reference of the settings."""
