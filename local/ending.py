"""How a command of this project ends: when it is told to, or its terminal or its make is gone, as on Ctrl-C."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
"""https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html"""


def end_as_on_ctrl_c() -> None:
    """Let this process clean up, as it does on Ctrl-C, whatever asks it to end: all of them raise KeyboardInterrupt."""
    # Also Ctrl-C itself: a shell's background job starts with it ignored, and so would every program that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _end)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup wants it
        signal.signal(signal.SIGHUP, _end)
    if sys.platform == "linux" and _is_make(os.getppid()):
        # Ctrl-C reaches both, but a make that is killed tells nobody. It has one thread, so the signal is its death.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(number: int, _frame: object) -> None:
    # Once: `timeout` sends its signal to a program and to its group, and the second one would end the cleaning up.
    signal.signal(number, lambda *_: None)
    raise KeyboardInterrupt


def _is_make(pid: int) -> bool:
    name = Path(f"/proc/{pid}/comm")  # not there if the parent is outside of a container, as with `docker exec`
    return name.is_file() and name.read_text() in ("make\n", "gmake\n")
