"""Draw the README's picture: photographs in gray above, as streamcolor colours them below.

    python examples/before_after.py before-after.jpg

The photographs come with scikit-image: an astronaut (NASA, public domain), a cat and a cup of coffee (both CC0).
"""

import sys

import cv2
import numpy as np
from skimage import data

from streamcolor import Colorizer

HEIGHT = 300

gray = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (data.astronaut(), data.chelsea(), data.coffee())]
gray = [cv2.resize(picture, (HEIGHT * picture.shape[1] // picture.shape[0], HEIGHT)) for picture in gray]
with Colorizer() as colorizer:
    coloured = list(colorizer.colorize_frames(gray))
rows = [np.hstack([np.dstack([picture] * 3) for picture in gray]), np.hstack(coloured)]
cv2.imwrite(sys.argv[1], np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
