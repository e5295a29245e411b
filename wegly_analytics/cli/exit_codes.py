"""The exit codes of the command."""

from __future__ import annotations

from typing import Final

FAILED: Final = 1
USAGE: Final = 2
INCOMPLETE: Final = 3
"""Done, but some deals are missing for a reason other than 404."""

INTERRUPTED: Final = 130
"""What a shell reports of a command that Ctrl-C has ended."""
