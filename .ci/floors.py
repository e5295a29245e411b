"""Print the lowest version that `pyproject.toml` declares for each requirement, as constraints for pip."""

import re
import sys
import tomllib
from pathlib import Path

EXTRAS = ("duckdb", "excel", "keyring", "polars", "test")

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
requirements = {*project["dependencies"], *(one for extra in EXTRAS for one in project["optional-dependencies"][extra])}
for requirement in sorted(requirements):
    if not (floor := re.fullmatch(r"([\w.-]+)>=([\d.]+)", requirement)):
        sys.exit(f"pyproject.toml: {requirement!r} declares no lowest version; write name>=version")
    sys.stdout.write(f"{floor[1]}=={floor[2]}\n")
