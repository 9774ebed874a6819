"""Times in a film, as exact fractions of a second."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from ..errors import OptionError

#: Frames a second beyond which a rate is a mistake.
_MAX_RATE = 1000
#: Seconds by which times must run back to count as another film's.
_JUMP = Fraction(1)
#: Seconds a tick for telling the times of decoding apart; where they must fit between two frames that repeat a time.
_FINE, _FINER = Fraction(1, 10_000), Fraction(1, 400_000)

_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)")


def parse_time(text: str) -> Fraction:
    """Seconds of ``90``, ``1:30``, ``0:01:30.5``, as FFmpeg writes times.

    Raises:
        OptionError: the text is none of these.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise OptionError(f"{text!r} is not a time; write seconds (90.5) or [HH:]MM:SS[.m] (1:30.5)")
    hours, minutes, seconds = match.groups(default="0")
    return Fraction(hours) * 3600 + Fraction(minutes) * 60 + Fraction(seconds.rstrip("."))


def format_time(seconds: float | Fraction) -> str:
    """``H:MM:SS``, for people."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def to_ticks(time: Fraction, time_base: Fraction) -> int:
    """The tick of ``time_base`` that is nearest to a time in seconds."""
    return round(time / time_base)


def parse_rate(text: str) -> Fraction:
    """Frames a second of ``25``, ``23.976`` or ``24000/1001``.

    Raises:
        OptionError: the text is no positive number.
    """
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= _MAX_RATE:
        raise OptionError(f"{text!r} is no rate; write frames a second, such as 25 or 24000/1001")
    return rate


class Timeline:
    """Where the times of a film that was joined end to end jump back, they are made to go on.

    Each stream jumps at its own place in the file; the first one of picture or sound that does decides by how much all
    are moved. Subtitles and data, which may pause and overlap, are put where they are nearest to the rest.
    """

    def __init__(self) -> None:
        self._offsets = [Fraction(0)]
        self._epochs: dict[int, int] = {}
        self._begins: dict[int, Fraction] = {}
        self._ends: dict[int, Fraction] = {}
        self._now = Fraction(0)

    @property
    def joins(self) -> int:
        """How many times the film's times jumped back."""
        return len(self._offsets) - 1

    def offset(self, stream: int, begin: Fraction, length: Fraction, *, is_steady: bool = True) -> Fraction:
        """Seconds to add to the times of a stream's next packet, which is decoded at ``begin``.

        Args:
            stream: its index.
            begin: in seconds.
            length: in seconds.
            is_steady: whether the stream is picture or sound, without pauses.
        """
        if not is_steady:
            return min(self._offsets, key=lambda offset: abs(begin + offset - self._now))
        epoch = self._epochs.get(stream, 0)
        last = self._begins.get(stream)
        if last is not None and begin + self._offsets[epoch] < last - _JUMP:
            epoch += 1
            if epoch == len(self._offsets):
                self._offsets.append(self._ends[stream] - begin)
            self._epochs[stream] = epoch
        self._now = self._begins[stream] = begin + self._offsets[epoch]
        self._ends[stream] = max(self._now + length, self._ends.get(stream, self._now))
        return self._offsets[epoch]


class FrameClock:
    """Numbers frames for an encoder, and gives its packets the frames' own times back.

    An encoder needs times that grow; a film's may repeat, and keep their exact values this way. A packet is decoded
    when the frame is shown that it stands in the place of. Those that B-frames need decoded before the first frame is
    shown are decoded before it where times may lie before the film's beginning; else between the first frame and the
    second, so that nothing is shifted.

    Args:
        time_base: of the frames.
        frame_length: in ticks, for frames that do not say how long they last.
        may_begin_earlier: whether packets may be decoded before the first frame is shown.
    """

    def __init__(self, time_base: Fraction, frame_length: int, *, may_begin_earlier: bool) -> None:
        self._may_begin_earlier = may_begin_earlier
        #: Fine enough to tell the times of decoding apart.
        self.time_base = time_base / math.ceil(time_base / (_FINE if may_begin_earlier else _FINER))
        self._scale = round(time_base / self.time_base)
        self._frame_length = frame_length
        self._next = 0
        self._shown: dict[int, tuple[int, int]] = {}
        self._decoded: dict[int, int] = {}
        self._delay: int | None = None

    def number(self, pts: int, duration: int) -> int:
        """The number of the next frame, which is shown at ``pts`` for ``duration`` ticks."""
        number, self._next = self._next, self._next + 1
        self._shown[number] = (pts, duration or self._frame_length)
        self._decoded[number] = pts
        return number

    def times(self, shown: int, decoded: int) -> tuple[int, int, int]:
        """PTS, DTS and duration of the next packet, in :attr:`time_base`, by the encoder's frame numbers."""
        pts, duration = self._shown.pop(shown)
        if self._delay is None:
            self._delay = max(0, shown - decoded)
        if decoded > 0:
            dts = self._decoded[decoded] * self._scale
            for number in [old for old in self._decoded if 1 < old < decoded]:
                del self._decoded[number]
        else:
            first = self._decoded[0] * self._scale
            step = (self._decoded.get(1, self._decoded[0]) - self._decoded[0]) * self._scale
            if self._may_begin_earlier:
                dts = first + step * decoded
            else:
                dts = first + step * (decoded + self._delay) // (self._delay + 1)
        return pts * self._scale, min(dts, pts * self._scale), duration * self._scale
