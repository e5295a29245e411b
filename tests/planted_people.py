"""Deals with recognisable people, and a search for them in published files."""

import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
from server_side import Numbered

NAMES = ["Maria Aparecida da Conceição", "João Öztürk-Nuñez"]
PHONES = ["+55 11 98765-4321", "(21) 3333-0001"]
EMAILS = ["maria.aparecida@plantedmail.test", "joao@plantedmail.test"]
NOTES = ["Maria prefers to be called after six", "João's brother knows the director"]
REASON = "rudezaextrema"
PLANTED = [*NAMES, *PHONES, *EMAILS, *NOTES]


def person(n):
    contacts = [{"id": f"c{n}", "value": v, "type": 1} for v in (PHONES[n], EMAILS[n])]
    return {"id": f"p{n}", "notes": NOTES[n], "person": {"id": f"q{n}", "name": NAMES[n], "contacts": contacts}}


class People(Numbered):
    """Deals with one or both of two people."""

    def __init__(self):
        super().__init__(
            30,
            participants=lambda code: [person(0), person(1)] if code % 2 else [person(1)],
            followers=lambda code: [{"notes": NOTES[0], "user": {"id": "u", "name": "Seller"}}],
            status=lambda code: 3,
            lost_date=lambda code: "2026-01-01T12:00:00Z",
            lost_reason_description=lambda code: REASON,
        )


def needles(*texts):
    """The ways in which a file may hold a text."""
    for text in texts:
        for form in (text, json.dumps(text)[1:-1], *re.findall(r"\w{5,}", text)):
            yield form.encode()
            yield form.encode("utf-16-le")


def everything_below(folder):
    """Every byte of every file and name, and of the contents of compressed Parquet."""
    for path in folder.rglob("*"):
        yield str(path).encode()
        if path.is_file():
            yield path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path, partitioning=None)
            yield str(table.schema).encode()
            yield repr(table.schema.metadata).encode()
            yield json.dumps(table.to_pylist(), default=str, ensure_ascii=False).encode()
            yield from written_plainly(path, table)


def written_plainly(path, table):
    """The statistics of every column chunk, and the table without dictionaries and compression."""
    footer = pq.ParquetFile(path).metadata
    for group in range(footer.num_row_groups):
        for n in range(footer.num_columns):
            chunk = footer.row_group(group).column(n)
            if chunk.is_stats_set and chunk.statistics.has_min_max:
                yield f"{chunk.statistics.min} {chunk.statistics.max}".encode()
    plain = pa.BufferOutputStream()
    pq.write_table(table, plain, compression="none", use_dictionary=False)
    yield plain.getvalue().to_pybytes()


def found_in(folder, *texts):
    haystack = b"\0".join(everything_below(folder))
    return [needle for needle in needles(*texts) if needle in haystack]
