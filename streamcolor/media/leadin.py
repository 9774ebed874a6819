"""Frames before the ones that are asked for."""

from __future__ import annotations

from dataclasses import dataclass

import av


@dataclass(frozen=True)
class LeadIn:
    """A frame that is only looked at: earlier in the shot than the first one that is wanted."""

    frame: av.VideoFrame
