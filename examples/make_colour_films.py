"""Make two short colour films out of free photographs, to try the training commands with.

    python examples/make_colour_films.py films

The photographs come with scikit-image: an astronaut (NASA, public domain), a cat and a cup of coffee (both CC0).
"""

import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from skimage import data
from skimage.transform import resize

WIDTH, HEIGHT, RATE = 320, 240, 24
SECONDS_A_SHOT = 4
PHOTOGRAPHS = {
    "astronaut": data.astronaut,
    "cat": data.chelsea,
    "coffee": data.coffee,
}
#: Each film's shots: a photograph, and where a camera goes over it, as left and top of its beginning and its end.
FILMS = {
    "first.mkv": [
        ("astronaut", (0.0, 0.0), (0.6, 0.2)),
        ("cat", (0.0, 0.3), (0.9, 0.0)),
        ("coffee", (0.8, 0.8), (0.1, 0.2)),
    ],
    "second.mkv": [
        ("coffee", (0.0, 0.9), (0.9, 0.9)),
        ("astronaut", (0.9, 0.9), (0.1, 0.7)),
        ("cat", (0.9, 1.0), (0.1, 0.9)),
    ],
}


def shot(photograph: np.ndarray, start: tuple[float, float], end: tuple[float, float]) -> Iterator[np.ndarray]:
    """Frames of a camera's way over a photograph that is half as large again as the picture."""
    scale = 1.5 * max(HEIGHT / photograph.shape[0], WIDTH / photograph.shape[1])
    size = (round(photograph.shape[0] * scale), round(photograph.shape[1] * scale))
    large = (255 * resize(photograph, size, anti_aliasing=True)).astype(np.uint8)
    for share in np.linspace(0, 1, SECONDS_A_SHOT * RATE):
        left, top = (a + (b - a) * share for a, b in zip(start, end, strict=True))
        y, x = round(top * (size[0] - HEIGHT)), round(left * (size[1] - WIDTH))
        yield np.ascontiguousarray(large[y : y + HEIGHT, x : x + WIDTH])


def write(folder: Path) -> None:
    """Encode both films as H.264."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, shots in FILMS.items():
        with av.open(str(folder / name), "w") as file:
            video = file.add_stream("libx264", rate=RATE)
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            number = 0
            for photograph, start, end in shots:
                for picture in shot(PHOTOGRAPHS[photograph](), start, end):
                    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                    frame.pts, frame.time_base = number, Fraction(1, RATE)
                    file.mux(video.encode(frame))
                    number += 1
            file.mux(video.encode(None))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
