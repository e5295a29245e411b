"""The order of deals in a snapshot, and which of several versions of a deal is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_OLDEST = -(2**63)


@dataclass
class Versions:
    """The deals of all batches, in the order in which they were read.

    Within a batch there is one version of a deal. Of versions in several batches the one updated last is kept, or the
    one requested last if they were updated at the same time. Its rows stand where the deal was first requested.

    Examples
    --------
    >>> versions = Versions()
    >>> versions.add(pa.array(["a", "b"]), pa.array([5, 5]), np.array([3, 1]), np.array([3, 1]))
    >>> versions.add(pa.array(["a"]), pa.array([4]), np.array([0]), np.array([0]))
    >>> [ranks.tolist() for ranks in versions.ranks()]
    [[0, 1], [-1]]
    """

    _ids: list[pa.Array] = field(default_factory=list)
    _updated: list[np.ndarray] = field(default_factory=list)
    _positions: list[np.ndarray] = field(default_factory=list)
    _first: list[np.ndarray] = field(default_factory=list)

    def add(self, deal_ids: pa.Array, updated_at: pa.Array, positions: np.ndarray, first: np.ndarray) -> None:
        """Add the deals of a batch.

        Parameters
        ----------
        deal_ids
            The deals, each once.
        updated_at
            When each was updated, as a number that grows; missing counts as oldest.
        positions
            The place of this version of each in the order requested.
        first
            The first place of any version of it in the batch.
        """
        self._ids.append(deal_ids)
        self._updated.append(updated_at.fill_null(_OLDEST).to_numpy(zero_copy_only=False))
        self._positions.append(positions)
        self._first.append(first)

    def __len__(self) -> int:
        return pc.count_distinct(pa.chunked_array(self._ids, pa.string())).as_py()  # type: ignore[no-any-return]

    def deals_of(self, batch: int) -> pa.Array:
        """Return the deals of a batch."""
        return self._ids[batch]

    def ranks(self) -> list[np.ndarray] | None:
        """Find the place of each deal among those kept, by batch; -1 for an older version of a deal.

        Returns
        -------
        list of numpy.ndarray or None
            None if all are kept, and in order already.
        """
        if not self._ids:
            return None
        ids, first = pa.concat_arrays(self._ids), np.concatenate(self._first)
        if pc.count_distinct(ids).as_py() == len(ids):
            if (first[1:] > first[:-1]).all():
                return None
            return self._by_batch(_places(first))
        deals = ids.dictionary_encode().indices.to_numpy()
        order = np.lexsort((np.concatenate(self._positions), np.concatenate(self._updated), deals))
        newest = order[np.append(deals[order][1:] != deals[order][:-1], True)]
        earliest = np.full(len(newest), np.iinfo(np.int64).max)
        np.minimum.at(earliest, deals, first)
        ranks = np.full(len(ids), -1)
        ranks[newest] = _places(earliest)[deals[newest]]
        return self._by_batch(ranks)

    def _by_batch(self, ranks: np.ndarray) -> list[np.ndarray]:
        return np.split(ranks, np.cumsum([len(ids) for ids in self._ids])[:-1])


def places_by_batch(positions: list[np.ndarray]) -> list[np.ndarray] | None:
    """Return the place of each row among all rows in the order of their positions; None if they are in order."""
    every = np.concatenate(positions) if positions else np.zeros(0)
    if (every[1:] > every[:-1]).all():
        return None
    return np.split(_places(every), np.cumsum([len(some) for some in positions])[:-1])


def _places(positions: np.ndarray) -> np.ndarray:
    places = np.empty(len(positions), np.int64)
    places[np.argsort(positions, kind="stable")] = np.arange(len(positions))
    return places
