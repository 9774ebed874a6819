"""Draw the README's picture: photographs in gray above, as streamcolor colours them below.

    pip install scikit-learn matplotlib
    python examples/before_after.py before-after.jpg

The photographs come with Python packages: an astronaut (NASA, public domain), a cat and a cup of coffee (CC0) with
scikit-image; Grace Hopper (United States Navy, public domain) with Matplotlib; the Summer Palace (CC BY) with
scikit-learn.
"""

import sys

import cv2
import numpy as np
from matplotlib import cbook
from matplotlib.image import imread
from skimage import data
from sklearn.datasets import load_sample_image

from streamcolor import Colorizer

HEIGHT = 260


def hopper() -> np.ndarray:
    return imread(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))[:512]


photographs = (data.astronaut(), load_sample_image("china.jpg"), hopper(), data.coffee(), data.chelsea())
gray = [cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY) for picture in photographs]
gray = [
    cv2.resize(picture, (HEIGHT * picture.shape[1] // picture.shape[0], HEIGHT), interpolation=cv2.INTER_AREA)
    for picture in gray
]
with Colorizer() as colorizer:
    coloured = list(colorizer.colorize_frames(gray))
rows = [np.hstack([np.dstack([picture] * 3) for picture in gray]), np.hstack(coloured)]
cv2.imwrite(sys.argv[1], np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
