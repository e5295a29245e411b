"""One bit of a file is flipped: what is read afterwards is what was written, or the damage is named."""

from __future__ import annotations

import random
import shutil
import warnings

import pytest
from hard.operations import ARCHIVE, ROOT, SAVED, content
from hard.trials import Deals
from hard.worlds import snapshots

import wegly_analytics as wa

MANY, FEW = 300, 12


def flipped(path, generator):
    """Flip a bit somewhere in a file; say where."""
    data = bytearray(path.read_bytes())
    position, bit = generator.randrange(len(data)), generator.randrange(8)
    data[position] ^= 1 << bit
    mode = path.stat().st_mode
    path.unlink()
    path.write_bytes(data)
    path.chmod(mode)
    return f"{path.name}, byte {position} of {len(data)}, bit {bit}"


def rows(snap):
    return {name: {str(row) for row in table.to_pylist()} for name, table in snap.tables.items() if name != "ledger"}


def problem_of_archive(folder, right):
    """Nothing altered is delivered; what is missing was said."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            snap = wa.read(folder / ARCHIVE)
        except wa.errors.WeglyError as error:
            return None if str(folder) in str(error) else f"no place is named: {error}"
    found = rows(snap)
    if altered := {name: found[name] - right[name] for name in found if found[name] - right[name]}:
        return f"altered: {str(altered)[:300]}"
    said = [str(each.message) for each in caught if issubclass(each.category, wa.errors.IncompleteWarning)]
    return None if found == right or said else "deals are missing, and nothing was said"


def problem_of_snapshot(folder, right):
    """`load` gives what was saved, or raises; `verify` notices in any case."""
    problems = wa.verify(folder / ROOT)
    if problems.empty:
        return "verify finds nothing"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wa.errors.DamagedWarning)  # an error follows: there is no other snapshot
            found = content(wa.load(folder / ROOT))
    except wa.errors.WeglyError as error:
        return None if str(folder) in str(error) else f"no place is named: {error}"
    return None if found == right else "altered values were loaded"


def archive_of(world):
    world.run("fetch", ids="1-12")
    files = [path for path in world.template.rglob("*") if path.is_file()]
    return files, problem_of_archive, rows(wa.read(world.template / ARCHIVE))


def parquet_of(world):
    Deals(400).save(world.folder / SAVED)
    world.run("save", personal="keep")
    files = sorted((world.template / ROOT).rglob("*.parquet"))
    return files, problem_of_snapshot, content(wa.load(world.template / ROOT))


def manifest_of(world):
    world.run("save", personal="keep")
    (name,) = snapshots(world.template)
    files = [path for path in (world.template / ROOT / name).iterdir() if path.is_file()]
    return files, problem_of_snapshot, content(wa.load(world.template / ROOT))


FILES = {"archive": archive_of, "Parquet": parquet_of, "manifest": manifest_of}


def check(world, kind, times, seed, record_property):
    generator = random.Random(seed)
    files, problem_of, right = FILES[kind](world)
    problems = []
    for _ in range(times):
        folder = world.copy()
        where = flipped(folder / generator.choice(files).relative_to(world.template), generator)
        try:
            problem = problem_of(folder, right)
        except Exception as error:  # noqa: BLE001 - not of the product's own: that is the problem
            problem = f"{type(error).__name__}: {str(error)[:300]}"
        problems += [f"{where}: {problem}"] if problem else []
        shutil.rmtree(folder)
    record_property("trials", (kind, "one bit flipped", times, times - len(problems)))
    assert not problems, f"{len(problems)} of {times} did not survive:\n" + "\n".join(problems)


@pytest.mark.hard
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", FILES)
def test_no_flipped_bit_alters_a_value_unnoticed(kind, seed, world, record_property):
    check(world, kind, MANY, seed, record_property)


@pytest.mark.parametrize("kind", FILES)
def test_a_few_flipped_bits_alter_nothing_unnoticed(kind, world, record_property):
    check(world, kind, FEW, 3, record_property)
