"""Times in a film, as exact fractions of a second."""

from __future__ import annotations

import re
from fractions import Fraction

from ..errors import OptionError

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
