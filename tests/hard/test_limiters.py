"""Every kind of limit is used well, whatever its 429s say and however much is asked for."""

import limiters
import pytest

pytestmark = pytest.mark.hard


def test_every_cell_of_the_table_meets_its_targets():
    cells = limiters.table()
    missed = {key: cell for key, cell in cells.items() if not limiters.is_met(cell, *key[1:])}
    assert len(cells) == 180
    assert not missed
