"""What every command of the command line shares: where it prints, and how it fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.text import Text

from .errors import PipeClosedError, StreamcolorError

OUT = Console(soft_wrap=True, highlight=False, markup=False)
ERR = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)

EPILOG = """\b
Exit codes: 0 done; 1 other failure; 2 wrong option; 3 input can't be read;
4 output can't be written; 5 no engine or model; 130 interrupted;
141 the reader of standard output has gone.
"""

debug_option = click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout instead.")


def complain(message: str) -> None:
    """Print one line about a failure."""
    ERR.print(Text(f"streamcolor: {message}", style="red"))


@contextmanager
def errors_as_lines(debug: bool, if_interrupted: str = "nothing was left behind") -> Iterator[None]:
    """One line and an exit code for every failure; a traceback only with --debug."""
    try:
        yield
    except PipeClosedError as error:
        sys.exit(error.exit_code)
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            raise
        if _was_interrupted(error):
            complain(f"interrupted; {if_interrupted}")
            sys.exit(130)
        if isinstance(error, StreamcolorError):
            complain(str(error))
            sys.exit(error.exit_code)
        complain(f"{type(error).__name__}: {error} (add --debug for more)")
        sys.exit(1)


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether an interrupt is behind an error; one that comes while a C extension is imported is an ImportError."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None
