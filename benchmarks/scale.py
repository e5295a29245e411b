"""How cost grows: with deals, with children per deal, with snapshots in a root, with groups in `by`, with ids.

For each of the first four a picture is drawn: time and the peak of memory against the size, both on logarithmic axes.
The exponent is fitted to the three largest sizes: 1 is proportional, 2 quadratic, 0 does not grow. For ids, the intake
runs against a server, and what a deal takes at the beginning and at the end is printed.

    python benchmarks/scale.py --pictures /tmp/curves
    python benchmarks/scale.py --pictures /tmp/curves --only groups --most 10000
    python benchmarks/scale.py --only ids --ids 20000
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import work
from measure import HERE, Usage, once

if TYPE_CHECKING:
    from collections.abc import Iterable

FITTED: Final = 3
"""The number of sizes, the largest ones, that an exponent is fitted to."""


@dataclass
class Curve:
    """What grows, the sizes, and for each size the seconds of each call and the peak of the process."""

    name: str
    title: str
    label: str
    sizes: list[int] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    peaks: list[float] = field(default_factory=list)

    def add(self, size: int, usage: Usage) -> None:
        """Add a measurement, and print it."""
        self.sizes.append(size)
        self.peaks.append(usage.peak)
        for call, seconds in usage.facts["calls"].items():
            self.seconds.setdefault(call, []).append(seconds)
        times = ", ".join(f"{call} {found[-1]:.3f} s" for call, found in self.seconds.items())
        print(f"  {size:>9,} {self.label}: {times}; {usage.peak / 1e6:,.0f} MB", flush=True)

    def exponent(self, values: list[float]) -> float:
        """Fit the slope of the largest sizes on logarithmic axes, by least squares."""
        xs, ys = ([math.log(v) for v in each[-FITTED:]] for each in (self.sizes, values))
        x, y = sum(xs) / len(xs), sum(ys) / len(ys)
        spread = sum((a - x) ** 2 for a in xs)
        return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / spread if spread else math.nan


def started(folder: Path, *words: str | Path) -> Usage:
    """Run a work of `growth` in a process of its own."""
    return once(work(str(words[0]), sys.executable, HERE / "growth.py", *words), folder)


def input_file(folder: Path, size: int, what: str = "clean") -> str:
    """Write a file of so many deals, or of deals with so many children, unless it is there."""
    usage = once(work("inputs", sys.executable, HERE / "inputs.py", folder, str(size), what), folder)
    return str(usage.facts["file"])


def sizes(most: int) -> Iterable[int]:
    """Count 1, 3, 10, 30 … up to a largest size, from a thousandth of it on."""
    return [n * 10**k for k in range(9) for n in (1, 3) if most <= n * 10**k * 1_000 and n * 10**k <= most]


def deals(folder: Path, most: int) -> Curve:
    """Measure a file of more and more deals: to tables, to a published snapshot, and back."""
    curve = Curve("deals", "A file of deals becomes a snapshot", "deals")
    for size in sizes(most):
        file = input_file(folder, size)
        curve.add(size, started(folder, "publish", file, "{}/root"))
    return curve


def children(folder: Path, most: int) -> Curve:
    """Measure the same for few deals with more and more participants, proposals and tags."""
    curve = Curve("children", "100 deals with ever more children become a snapshot", "children per list of a deal")
    for size in sizes(most // 50):
        file = input_file(folder, size, "children")
        curve.add(size, started(folder, "publish", file, "{}/root"))
    return curve


def snapshots(folder: Path, most: int) -> Curve:
    """Measure a root with more and more snapshots of twenty deals."""
    curve = Curve("snapshots", "Snapshots of 20 deals in one root", "snapshots in the root")
    file = input_file(folder, 20)
    with tempfile.TemporaryDirectory(dir=folder) as root:
        for size in sizes(most // 300):
            started(folder, "fill", root, str(size), file)
            curve.add(size, started(folder, "snapshots", root, file))
    return curve


def groups(folder: Path, most: int) -> Curve:
    """Measure metrics by a column with more and more values."""
    curve = Curve("groups", f"Metrics of {most:,} deals by a column with ever more values", "groups")
    file = input_file(folder, most)
    for size in sizes(most // 100):
        curve.add(size, started(folder, "groups", file, str(size)))
    return curve


CURVES: Final = {each.__name__: each for each in (deals, children, snapshots, groups)}


def draw(curve: Curve, folder: Path) -> Path:
    """Draw a curve: time on the left, memory on the right, with the exponents."""
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.4), width_ratios=(3, 2), layout="constrained")
    for call, seconds in curve.seconds.items():
        left.loglog(curve.sizes, seconds, "o-", markersize=4, label=f"{call}: exponent {curve.exponent(seconds):.2f}")
    left.set(xlabel=curve.label, ylabel="seconds", title="time, least of up to seven runs")
    megabytes = [peak / 1e6 for peak in curve.peaks]
    right.loglog(curve.sizes, megabytes, "o-", color="dimgray", label=f"peak: exponent {curve.exponent(megabytes):.2f}")
    right.set(xlabel=curve.label, ylabel="MB", title="peak memory of the process")
    right.set_ylim(100, max(1_000, 1.5 * max(megabytes)))  # a decade at least, or nothing would look like growth
    for axes in (left, right):
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
            axis.set_minor_formatter("")
        axes.grid(visible=True, which="both", alpha=0.25)
        axes.legend(fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.13))
    fitted = ", ".join(f"{size:,}" for size in curve.sizes[-FITTED:])
    figure.suptitle(f"{curve.title}; exponents of the {FITTED} largest sizes ({fitted})", fontsize=11)
    file = folder / f"{curve.name}.png"
    figure.savefig(file, dpi=110)
    plt.close(figure)
    return file


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[*CURVES, "ids"], default=[*CURVES])
    parser.add_argument("--most", type=int, default=100_000, help="the most deals; other sizes follow from it")
    parser.add_argument("--ids", type=int, default=200_000, help="how many ids a long run of the intake has")
    parser.add_argument("--pictures", type=Path, default=Path(), help="the folder for the pictures")
    parser.add_argument("--work", type=Path, help="a folder in which the files of deals are kept for the next run")
    options = parser.parse_args()
    curves = []
    with tempfile.TemporaryDirectory(prefix="wegly-scale-") as temporary:
        folder = (options.work or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for name in [name for name in options.only if name in CURVES]:
            print(name, flush=True)
            curves.append(CURVES[name](folder, options.most))
            for call, seconds in curves[-1].seconds.items():
                print(f"  {call}: exponent {curves[-1].exponent(seconds):.2f}", flush=True)
    options.pictures.mkdir(parents=True, exist_ok=True)
    for curve in curves:  # only now, because a process begins with the peak of the one that starts it
        print(draw(curve, options.pictures))
    if "ids" in options.only:
        from long_run import measured

        measured(options.ids)


if __name__ == "__main__":
    main()
