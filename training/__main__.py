import logging
import sys
from pathlib import Path

from .config import read_config
from .trainer import train

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
train(read_config(Path(sys.argv[1])))
