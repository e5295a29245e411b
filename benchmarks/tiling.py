"""A published snapshot many times over: the same deals under other ids and codes, as further files of each table.

Files are written one at a time, so ten million deals take no more memory than a hundred thousand. The manifest is that
of the first snapshot, with the files and counts of the new one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST: Final = "_manifest.json"
CODES: Final = 10_000_000
"""How far apart the codes of two copies are."""


def tiled(root: Path, to: Path, times: int) -> int:
    """Write the newest snapshot of a root so many times over, as the only snapshot of another root.

    Returns
    -------
    int
        The number of deals.
    """
    source = max(root.glob("snapshot=*"))
    unfinished = to.with_name(f"{to.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    folder = unfinished / source.name
    manifest = json.loads((source / MANIFEST).read_text())
    for name, about in manifest["tables"].items():
        (folder / name).mkdir(parents=True)
        whole = pa.concat_tables(pq.read_table(source / name / file) for file in sorted(about["files"]))
        about["files"] = {}
        for n in range(times):
            file = folder / name / f"part-{n:05}.parquet"
            pq.write_table(_copy(name, whole, n), file, compression="zstd")
            about["files"][file.name] = _described(file)
        about["rows"] *= times
    manifest["completeness"] = {what: count * times for what, count in manifest["completeness"].items()}
    del manifest["sha256"]
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    manifest["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    unfinished.rename(to)
    return int(manifest["tables"]["deals"]["rows"])


def _copy(name: str, table: pa.Table, n: int) -> pa.Table:
    """Give the deals of a table other ids, codes and rows in the ledger."""
    if "deal_id" in table.column_names:
        table = _with(table, "deal_id", pc.binary_replace_slice(table["deal_id"], 0, 4, f"{n:04x}"))
    if name == "deals":
        table = _with(table, "code", pc.add(table["code"], n * CODES))
    if name == "ledger":
        table = _with(table, "requested", pc.binary_join_element_wise(table["requested"], f"{n}", "-"))
    return table


def _with(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    at = table.schema.get_field_index(name)
    field = table.schema.field(at)
    return table.set_column(at, field, column.cast(field.type))


def _described(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        return {"bytes": file.stat().st_size, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}
