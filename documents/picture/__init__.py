"""The picture of what an environment deploys, as SVG: no resource is left out, whatever its type."""
