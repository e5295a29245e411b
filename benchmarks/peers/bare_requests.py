"""A pool of threads requests deals with `requests`, as many a second as a refresh may: what HTTP itself takes."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from measure import report
from server import served

WORKERS = 16


def main() -> None:
    """Print what it took."""
    n, per_second = int(sys.argv[1]), float(sys.argv[2])
    own = threading.local()

    def get(url: str, code: int, at: float) -> int:
        time.sleep(max(0.0, at - time.perf_counter()))
        if not hasattr(own, "session"):
            own.session = requests.Session()
        return len(own.session.get(f"{url}/integrations/external/deals/{code}", timeout=30).content)

    with served("sandbox", n) as url:

        def work() -> dict[str, Any]:
            begun = time.perf_counter()
            with ThreadPoolExecutor(WORKERS) as pool:
                codes = range(1, n + 1)
                sizes = pool.map(get, [url] * n, codes, [begun + code / per_second for code in codes])
                return {"requests": n, "bytes": sum(sizes), "version": requests.__version__}

        report(work)


if __name__ == "__main__":
    main()
