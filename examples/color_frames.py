"""Colour pictures from memory, as an editing tool would.

python examples/color_frames.py picture.jpg coloured.png
"""

import sys

import cv2

from streamcolor import Colorizer, ColorOptions

source, target = sys.argv[1:3]
luma = cv2.imread(source, cv2.IMREAD_GRAYSCALE)
with Colorizer(ColorOptions(saturation=1.1)) as colorizer:
    for rgb in colorizer.colorize_frames([luma]):
        cv2.imwrite(target, rgb[..., ::-1])
