"""Streaming colorizer for black-and-white video.

``colorize`` colours a film from file to file; ``Colorizer`` colours frames; ``probe`` tells what a film holds.
"""

from .colorizer import Colorizer
from .errors import (
    EngineError,
    InputError,
    MissingExtraError,
    OptionError,
    OutputError,
    PipeClosedError,
    StreamcolorError,
)
from .job import colorize
from .media.leadin import LeadIn
from .media.probe import FilmInfo
from .media.reader import probe
from .options import ColorOptions, FilmOptions
from .progress import Progress, Report

__all__ = [
    "ColorOptions",
    "Colorizer",
    "EngineError",
    "FilmInfo",
    "FilmOptions",
    "InputError",
    "LeadIn",
    "MissingExtraError",
    "OptionError",
    "OutputError",
    "PipeClosedError",
    "Progress",
    "Report",
    "StreamcolorError",
    "colorize",
    "probe",
]
