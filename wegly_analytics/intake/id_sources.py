"""Ids from lists, texts, and columns of CSV, Parquet and Excel files."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd
import pyarrow.parquet as pq

from wegly_analytics.errors import IdError, MissingColumnError, SettingError
from wegly_analytics.intake.arguments import path as path_of
from wegly_analytics.intake.arguments import text_or_none, type_of, whole_number
from wegly_analytics.model.ids import MAX_DIGITS, Ids, deal_key, deal_keys, read_ids, shortened
from wegly_analytics.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS: Final = ("deal_id", "code", "id", "uuid", "codigo", "código")
"""Names of columns that hold ids, the most likely first."""

_BLOCK: Final = 1 << 20
"""Bytes of a text file that are read at once."""

TABLES: Final = (".csv", ".tsv", ".parquet", ".xlsx")
"""Suffixes of files that have columns."""


def ids_of(ids: object) -> Ids:
    """Read what `fetch` takes for ids.

    Parameters
    ----------
    ids
        One id or an iterable of ids; a text with ids and ranges such as ``"1-500"``; or the name of a file of ids.

    Returns
    -------
    Ids
        The ids as `ids.deal_key` writes them, each once, in their order.

    Raises
    ------
    IdError
        If anything is not an id.
    SettingError
        If it is an object that holds ids but is not a list of them, a file that cannot be read, or there are too
        many.

    Examples
    --------
    >>> list(ids_of("7, 9-11"))
    ['7', '9', '10', '11']
    """
    if not isinstance(ids, str | Path):
        if hint := _hint(ids):
            raise SettingError(f"ids is {type_of(ids)}: {hint}")
        return deal_keys(ids)
    if isinstance(ids, str):
        try:
            found = deal_keys(read_ids([ids], "ids"))
        except IdError:
            if not is_file(ids):
                digits = (
                    f"; a code has at most {MAX_DIGITS} digits" if re.search(rf"\d{{{MAX_DIGITS + 1}}}", ids) else ""
                )
                raise IdError(
                    f"{shortened(ids)} is not a deal id, a range such as '1-500', or a file{digits}"
                ) from None
        else:
            if not found:
                raise IdError(f"ids={ids!r} holds no id: give ids, a range such as '1-500', or a file")
            return found
    return deal_keys(ids_in(Path(ids)))


def _hint(ids: object) -> str | None:
    """Say what to pass instead of an object that is not a list of ids."""
    if isinstance(ids, Snapshot):
        return "wa.refresh(snap) requests what may have changed; pass snap.deals['deal_id'] to fetch all its deals"
    if hasattr(ids, "columns"):
        names = [str(name) for name in getattr(ids, "column_names", ids.columns)]
        named = next((name for name in COLUMNS for each in names if each.strip().lower() == name), None)
        column = next((each for each in names if each.strip().lower() == named), "deal_id")
        return f"pass the column that holds the ids, such as df[{column!r}]"
    if isinstance(ids, Mapping):
        return "pass a list of ids"
    if ids is None:
        return "pass a list of ids, a range such as '1-500', a file, or wa.walk() for all codes"
    if callable(ids):
        return "call it, as in wa.fetch(wa.walk())"
    return None


def is_file(word: str) -> bool:
    """Tell whether a text names a file."""
    try:
        return Path(word).is_file()
    except (OSError, ValueError):  # too long, or with a character that no name has
        return False


def ids_in(file: Path, column: str | None = None) -> Iterator[str | range]:
    """Read the ids in a file: in a column of a table, or listed in a text file.

    Raises
    ------
    SettingError
        If the file cannot be read, or no column is an obvious choice.
    MissingColumnError
        If there is no such column.
    IdError
        If a cell or a word is not an id.
    """
    if column is not None or file.suffix.lower() in TABLES:
        yield from ids_from(file, column)
        return
    try:
        with file.open(encoding=_encoding(file)) as lines:
            yield from read_ids(lines, str(file))
    except OSError as error:
        raise SettingError(f"{file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SettingError(f"{file} is not a text file: {error}") from error


def ids_from(path: str | Path, column: str | None = None, *, sheet: str | int = 0) -> list[str]:
    """Read the ids in a column of a table.

    Parameters
    ----------
    path
        A CSV file, a Parquet file, or an Excel workbook (needs the extra ``excel``). A CSV file may have commas,
        semicolons or tabs, and be encoded in UTF-8, UTF-16 or, as Excel writes it, Windows-1252. A CSV file or a sheet
        whose first row holds an id has no header; its columns are called "column 1", "column 2" and so on.
    column
        The column's name. If not given: the only column; or one named deal_id, code, id or uuid; or, without a header,
        the only one whose first cell is an id.
    sheet
        The sheet of a workbook, by name or by position from 0.

    Returns
    -------
    list of str
        The ids as `ids.deal_key` writes them, each once, in their order. Empty cells are skipped.

    Raises
    ------
    SettingError
        If the file cannot be read, or no column is an obvious choice.
    MissingColumnError
        If there is no such column.
    IdError
        If a cell is not an id; the error names the row.
    """
    if hasattr(path, "columns"):
        raise SettingError(f"ids_from takes the path of a file, not {type_of(path)}: {_hint(path)}")
    file = path_of("path", path, "deals.csv")
    column = text_or_none("column", column, "deal_id")
    if not isinstance(sheet, str):
        sheet = whole_number("sheet", sheet, least=0)
    try:
        frame = _frame(file, sheet)
    except (OSError, ValueError, ImportError) as error:
        raise SettingError(f"{file} cannot be read: {error}") from error
    chosen = column or _choose(file, frame)
    if chosen not in frame.columns:
        raise MissingColumnError(file.name, chosen, map(str, frame.columns))
    if list(frame.columns).count(chosen) > 1:
        raise SettingError(f"{file} has several columns called {chosen!r}: give the one that holds the ids a name")
    ids: dict[str, None] = {}
    for row, value in zip(frame.index, frame[chosen], strict=True):
        if pd.isna(value) or not str(value).strip():
            continue
        try:
            ids[deal_key(str(value).strip().removesuffix(".0") if isinstance(value, str) else value)] = None
        except IdError as error:
            raise IdError(f"{file.name}, row {row}, column {chosen!r}: {error}") from None
    return list(ids)


def _frame(file: Path, sheet: str | int) -> pd.DataFrame:
    """Read a table; the index is the row as a spreadsheet numbers it."""
    match file.suffix.lower():
        case ".parquet":
            frame = pd.DataFrame(pq.read_table(file, partitioning=None).to_pandas()).reset_index(drop=True)
            frame.index += 2
            return frame
        case ".xlsx":
            return _headed(pd.read_excel(file, dtype=object, header=None, sheet_name=sheet))
        case ".csv" | ".tsv":
            text, row = _text(file), 1
            hint, _, rest = text.partition("\n")
            if hint.strip().lower().startswith("sep="):  # for Excel
                text, row = rest, 2
            separator = max(",;\t", key=text.partition("\n")[0].count)
            # as text: a number read as a decimal would lose its last digits
            cells = pd.read_csv(io.StringIO(text), dtype=str, sep=separator, header=None, skip_blank_lines=False)
            return _headed(cells, row)
    raise ValueError(f"its name does not end in one of {', '.join(TABLES)}")


def _text(file: Path) -> str:
    return file.read_bytes().decode(_encoding(file))


def _encoding(file: Path) -> str:
    """Find the encoding of a text file: UTF-8, UTF-16, or Windows-1252, as Excel writes them."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with file.open("rb") as content:
        block = content.read(_BLOCK)
        if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        try:
            while block:
                decoder.decode(block)
                block = content.read(_BLOCK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8-sig"


def _headed(cells: pd.DataFrame, row: int = 1) -> pd.DataFrame:
    """Use the first row, which the file numbers `row`, as the header, unless it holds an id."""
    if cells.empty:
        raise ValueError("it has no rows")
    first = cells.iloc[0]
    cells.index = pd.RangeIndex(row, len(cells) + row)
    if any(map(_is_id, first)):
        cells.columns = pd.Index([f"column {n}" for n in range(1, cells.shape[1] + 1)])
        return cells
    cells.columns = pd.Index(["" if pd.isna(name) else str(name).strip() for name in first])
    return cells.iloc[1:]


def _is_id(cell: object) -> bool:
    try:
        deal_key(cell)
    except IdError:
        return False
    return True


def _choose(file: Path, frame: pd.DataFrame) -> str:
    columns = list(map(str, frame.columns))
    if len(columns) == 1:
        return columns[0]
    lower = {name.strip().lower(): name for name in reversed(columns)}
    for name in COLUMNS:
        if name in lower:
            return lower[name]
    if frame.columns[0] == "column 1":  # no header
        with_ids = [name for name in columns if _is_id(frame[name].iloc[0])]
        if len(with_ids) == 1:
            return with_ids[0]
    raise SettingError(f"{file} has the columns {', '.join(columns)}: pass column= with the one that holds the ids")
