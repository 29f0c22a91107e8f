"""How fast it is, and how it grows, beside what else one could use. Only people start it: `make bench`."""

import sys
from pathlib import Path

# In the function's zip it is a package of its own, without a folder around it.
sys.path.append(str(Path(__file__).parents[1] / "lambda"))
