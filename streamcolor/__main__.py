"""``python -m streamcolor``."""

from .cli import main

main()
