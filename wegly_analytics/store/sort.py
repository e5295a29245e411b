"""Sorting more rows than fit into memory: they are divided among files by rank, and each file is sorted alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

RANKS_PER_FILE: Final = 25_000
"""How many ranks one file holds; a deal has one rank, and all its rows in a table have that rank."""

_RANK: Final = "wegly_analytics:rank"


def sorted_rows(
    batches: Iterable[tuple[pa.Table, np.ndarray]], schema: pa.Schema, folder: Path, per_file: int = RANKS_PER_FILE
) -> Iterator[pa.Table]:
    """Sort rows by rank, and leave out those with a negative one; rows of equal rank keep their order.

    Parameters
    ----------
    batches
        Tables, each with the rank of every row.
    schema
        The schema of the tables.
    folder
        An existing folder for files, which are removed again.
    per_file
        The number of ranks whose rows are in memory at once.
    """
    schema = schema.append(pa.field(_RANK, pa.int64()))
    files: dict[int, pa.ipc.RecordBatchFileWriter] = {}
    try:
        for table, ranks in batches:
            ranked = table.append_column(_RANK, pa.array(ranks, pa.int64()))
            place = np.where(ranks < 0, -1, ranks // per_file)
            for n in np.unique(place[place >= 0]).tolist():
                if n not in files:
                    options = pa.ipc.IpcWriteOptions(compression="zstd")
                    files[n] = pa.ipc.new_file(str(folder / f"{n}.arrow"), schema, options=options)
                files[n].write_table(ranked.filter(pa.array(place == n)))
    finally:
        for file in files.values():
            file.close()
    for n in sorted(files):
        path = folder / f"{n}.arrow"
        with pa.OSFile(str(path)) as source:
            rows = pa.ipc.open_file(source).read_all()
        yield by_rank(rows.drop_columns([_RANK]), rows.column(_RANK).to_numpy())
        path.unlink()


def by_rank(table: pa.Table, ranks: np.ndarray) -> pa.Table:
    """Sort the rows of one table by rank, leave out those with a negative one, and keep the order of equal ones."""
    if len(ranks) == 0 or (ranks[0] >= 0 and (ranks[1:] >= ranks[:-1]).all()):
        return table
    order = np.argsort(ranks, kind="stable")
    return table.take(order[ranks[order] >= 0])
