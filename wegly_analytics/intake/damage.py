"""The warning about an archive that could not be read completely."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from wegly_analytics.errors import IncompleteWarning
from wegly_analytics.intake.streams import emit

if TYPE_CHECKING:
    from wegly_analytics.intake.archive import Archive


def warn_of_damage(archive: Archive, *, stacklevel: int) -> None:
    """Warn if not all that was written to an archive could be read."""
    if archive.damaged:
        first = [f"{place}: {why}" for place, why in islice(archive.damaged.items(), 5)]
        more = f"; and {len(archive.damaged) - 5:,} more" if len(archive.damaged) > 5 else ""
        message = (
            f"{archive.path} is damaged and was read only in part ({'; '.join(first)}{more}); "
            "what it lacks must be requested again"
        )
        emit(message, IncompleteWarning, stacklevel)
