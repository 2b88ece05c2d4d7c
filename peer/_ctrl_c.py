"""Ctrl-C ends ``python -m peer`` with the status 130 and without a word, at whatever moment it comes.

To Python it is an exception that may be raised anywhere: in an import, or between two lines of a clean-up. So the
commands have a handler instead, which ends the process at once. A command that has something to close takes another one
meanwhile.

The package imports this module before all others, for they take most of the time until a command begins. Programs that
import the package have their Ctrl-C as ever.
"""

from __future__ import annotations

import signal
import sys
from os import _exit

STATUS = 130


def leave(*_: object) -> None:
    """End the process."""
    _exit(STATUS)


# While the interpreter looks for the module that "-m" names, it says so in place of the program's name.
if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, leave)
