"""A plain loop over an archive that unpacks every response, in the order in which they lie in the file."""

from __future__ import annotations

import sqlite3
import sys
import zlib
from typing import Any

from measure import report


def main() -> None:
    """Print what it took."""
    connection = sqlite3.connect(sys.argv[1])

    def work() -> dict[str, Any]:
        n = size = 0
        for _requested, body in connection.execute("SELECT requested, body FROM response"):
            size += len(zlib.decompress(body))
            n += 1
        return {"rows": {"responses": n}, "bytes": size, "version": sqlite3.sqlite_version}

    report(work)


if __name__ == "__main__":
    main()
