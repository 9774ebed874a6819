"""Every error that streamcolor raises on purpose, with the exit code that the command line gives it."""

from __future__ import annotations


class StreamcolorError(Exception):
    """Something that a person can put right; the message says what, where and how."""

    exit_code = 1


class OptionError(StreamcolorError):
    """An option's value is outside what it may be."""

    exit_code = 2


class InputError(StreamcolorError):
    """The input cannot be read as video."""

    exit_code = 3


class OutputError(StreamcolorError):
    """The output cannot be written as asked."""

    exit_code = 4


class PipeClosedError(OutputError):
    """Whoever read standard output has stopped; programs end without a word then."""

    #: As the shell says of a program that SIGPIPE ended.
    exit_code = 141


class EngineError(StreamcolorError):
    """No engine can run the model here, or the model file is not one of ours."""

    exit_code = 5


class MissingExtraError(EngineError):
    """A package that this part needs is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; install it with: pip install 'streamcolor[{extra}]'")


class DatasetError(StreamcolorError):
    """Training data is missing or damaged."""

    exit_code = 3


class TrainingError(StreamcolorError):
    """A training run can't begin or go on."""
