"""A report as a comment on a pull request: below the mark by which the next one finds it, and short enough."""

from __future__ import annotations

import sys
from pathlib import Path

MARK = "<!-- make diff -->"
LIMIT = 65_536
"""Of characters: GitHub refuses a longer one. In bytes here, as it also has to fit a variable of a step (128 KiB)."""
HOW_TO_ACCEPT = """
---
To accept all of it here: a line `Accept-change: why` in the description, then the label `accept-change`. It counts for
what is pushed so far. See docs/delivery.md.
"""


def comment(report: str, run: str) -> str:
    """The comment; what doesn't fit is cut at a line, and the summary of the workflow's run, at `run`, has it."""
    end = HOW_TO_ACCEPT if "**Not accepted" in report else ""
    whole = f"{MARK}\n{report}"
    if len(f"{whole}{end}".encode()) <= LIMIT:
        return f"{whole}{end}"
    end = f"\n**Cut here.** The rest is in [the summary of the run]({run}).\n{end}"
    room = LIMIT - len(f"\n</details>\n{end}".encode())
    kept = whole.encode()[:room].decode(errors="ignore").rpartition("\n")[0]
    unfinished = kept.count("<details>") > kept.count("</details>")
    return kept + ("\n</details>\n" if unfinished else "\n") + end


if __name__ == "__main__":
    sys.stdout.write(comment(Path(sys.argv[1]).read_text(), sys.argv[2]))
