import contextlib
import fcntl
import io
import os
import struct
import termios

import pytest

from wegly_analytics.intake.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def run(progress, clock, outcomes, seconds):
    with progress:
        for outcome in outcomes:
            clock.now += seconds
            progress.count(outcome)


def test_a_terminal_gets_a_bar_with_the_counts_that_matter():
    terminal = Terminal()
    run(Progress(6, show=True, done=2, stream=terminal), Clock(), ["fetched", "fetched", "not_found", "failed"], 1)
    last = terminal.getvalue().split("\r")[-1]
    assert "6/6" in last
    assert "found=2, missing=1, failed=1" in last


@pytest.fixture
def screen():
    """A terminal of 80 columns: the stream to write to, and a function that closes it and returns its last line."""
    reading, writing = os.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    stream = os.fdopen(writing, "w")

    def last_line():
        stream.close()
        shown = b""
        with contextlib.suppress(OSError):  # how Linux says that the other end is closed
            while part := os.read(reading, 1 << 16):
                shown += part
        os.close(reading)
        return shown.decode().strip().split("\r")[-1].strip()

    return stream, last_line


@pytest.mark.parametrize("total", [100_000, None])
def test_on_80_columns_the_counts_stand_in_full(total, screen):
    stream, last_line = screen
    with Progress(total, show=True, stream=stream, done=12_000) as progress:
        for outcome, n in (("fetched", 2_500), ("not_found", 1_500), ("failed", 30)):
            for _ in range(n):
                progress.count(outcome)
    line = last_line()
    assert "found=2500, missing=1500, failed=30" in line
    assert line.startswith(f"16030/{'?' if total is None else total}, ")
    assert len(line) <= 80
    if total:
        assert line.endswith("/s")


def test_elsewhere_a_line_a_minute_says_how_far_it_is_and_how_long_it_takes():
    log, clock = io.StringIO(), Clock()
    run(Progress(1_300, show=True, done=100, stream=log, clock=clock), clock, ["fetched"] * 1_200, 0.25)
    lines = log.getvalue().splitlines()
    assert (
        lines[0] == "Fetching: 240 of 1,200 requested, 4.0 a second, about 04:00 left; 240 found, 0 missing, 0 failed"
    )
    assert len(lines) == 5 + 1, "one a minute, and how it ended"
    assert lines[-1].startswith("Fetching: 1,200 of 1,200 requested, 4.0 a second; 1,200 found")


def test_a_walk_has_no_end_to_estimate():
    log, clock = io.StringIO(), Clock()
    run(Progress(None, show=True, stream=log, clock=clock), clock, ["not_found"] * 61, 1)
    assert log.getvalue().startswith("Fetching: 60 requested, 1.0 a second; 0 found, 60 missing, 0 failed\n")


def test_a_short_run_says_nothing():
    log = io.StringIO()
    run(Progress(3, show=True, stream=log), Clock(), ["fetched"] * 3, 0)
    assert log.getvalue() == ""


def test_nothing_is_shown_on_request():
    for stream in (Terminal(), io.StringIO()):
        clock = Clock()
        run(Progress(3, show=False, stream=stream, clock=clock), clock, ["fetched"] * 3, 100)
        assert stream.getvalue() == ""


def closed():
    stream = Terminal()
    stream.close()
    return stream


class Full(Terminal):
    def write(self, text):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("stream", [closed, Full, lambda: None])
def test_a_stream_that_cannot_be_written_ends_nothing(stream, monkeypatch):
    monkeypatch.setattr("sys.stderr", stream())
    clock = Clock()
    run(Progress(3, show=True, clock=clock), clock, ["fetched"] * 3, 100)
