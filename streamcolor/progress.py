"""What a job tells while it runs and when it is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


class StageTimes:
    """Seconds that each stage of the pipeline was busy, all its threads together."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to ``stage``."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - begin)

    def add(self, stage: str, seconds: float) -> None:
        """Add a time that was measured elsewhere."""
        with self._lock:
            self.seconds[stage] = self.seconds.get(stage, 0) + seconds


class Delays:
    """How long frames took from coming in to having gone out, in seconds."""

    def __init__(self) -> None:
        self.frames = 0
        self.longest = 0.0
        self._sum = 0.0

    @property
    def mean(self) -> float:
        """Over all frames; 0 where there was none."""
        return self._sum / max(1, self.frames)

    def add(self, seconds: float) -> None:
        """Note one frame."""
        self.frames += 1
        self.longest = max(self.longest, seconds)
        self._sum += seconds


@dataclass(frozen=True)
class Progress:
    """Where a running job stands."""

    frames: int
    #: Frames in all, by what the container announces; None where it tells nothing.
    expected_frames: int | None
    #: Seconds since the job began.
    elapsed: float
    #: The film's own frames a second, None where unknown.
    film_rate: float | None


@dataclass(frozen=True)
class Report:
    """What a job did."""

    #: Path, "standard input" or address.
    input: str
    #: None for standard output.
    output: Path | None
    #: Frames written.
    frames: int
    #: Frames that the input should have given, but was too damaged to.
    frames_lost: int
    #: Wall-clock time in seconds.
    seconds: float
    #: Frames a second.
    fps: float
    #: The engine and its precision.
    engine: str
    #: The model's name and version.
    model: str
    #: The encoder and its pixel format.
    encoding: str
    #: Seconds that each stage was busy; stages overlap, so that their sum can exceed ``seconds``.
    stage_seconds: dict[str, float]
    #: Seconds from a frame's being decoded to its having been passed on: in the mean, and the longest.
    mean_delay: float
    longest_delay: float
    #: Frames that took over the colours of the one before, since time was short; only with ``low_latency``.
    colours_reused: int
    #: Frames, or fields of interlaced ones, that hardly differ from the one before: they took its colours over without
    #: going through the network. None with ``stabilize`` 0.
    repeats: int
    #: What a person should know: streams left out, damage.
    notes: list[str] = field(default_factory=list)
