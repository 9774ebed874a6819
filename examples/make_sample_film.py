"""Make a short black-and-white film with sound, to try streamcolor on.

    python examples/make_sample_film.py sample.mkv

Its pictures come with scikit-image: an astronaut (NASA, public domain), a cat and a cup of coffee (both CC0).
"""

import sys
from collections.abc import Iterator

import av
import cv2
import numpy as np
from skimage import data

WIDTH, HEIGHT, RATE, SECONDS_A_SCENE = 480, 360, 24, 2
AUDIO_RATE = 48_000


def scenes() -> Iterator[np.ndarray]:
    """Gray frames: the camera moves slowly over each picture, on grainy film."""
    rng = np.random.default_rng(0)
    for picture in (data.astronaut(), data.chelsea(), data.coffee()):
        gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        scale = max(WIDTH / gray.shape[1], HEIGHT / gray.shape[0])
        for t in np.linspace(0, 1, RATE * SECONDS_A_SCENE):
            zoom = scale * (1 + 0.15 * t)
            centre = np.array([gray.shape[1] / 2, gray.shape[0] * (0.42 + 0.05 * t)])
            shift = np.array([WIDTH / 2, HEIGHT / 2]) - zoom * centre
            shift = np.clip(shift, [WIDTH - zoom * gray.shape[1], HEIGHT - zoom * gray.shape[0]], 0)
            move = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
            frame = cv2.warpAffine(gray, move, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
            grain = cv2.GaussianBlur(rng.normal(0, 6, frame.shape), (0, 0), 0.9)
            yield np.clip(16 + frame * (219 / 255) + grain, 16, 235).astype(np.uint8)


def write(path: str) -> None:
    """Encode the scenes as H.264 and a slow chord as AAC."""
    with av.open(path, "w") as film:
        video = film.add_stream("libx264", rate=RATE, options={"crf": "27", "preset": "medium"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = film.add_stream("aac", rate=AUDIO_RATE, layout="mono")
        frames = list(scenes())
        for luma in frames:
            neutral = np.full((HEIGHT // 2, WIDTH), 128, np.uint8)
            film.mux(video.encode(av.VideoFrame.from_ndarray(np.vstack([luma, neutral]), format="yuv420p")))
        time = np.arange(AUDIO_RATE * len(frames) // RATE) / AUDIO_RATE
        chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220, 277.2, 329.6)) * 0.1 * np.sin(np.pi * time / 2)
        sound = av.AudioFrame.from_ndarray(chord.astype(np.float32)[None], format="fltp", layout="mono")
        sound.sample_rate = AUDIO_RATE
        film.mux(audio.encode(sound))
        for stream in (video, audio):
            film.mux(stream.encode(None))


if __name__ == "__main__":
    write(sys.argv[1] if len(sys.argv) > 1 else "sample.mkv")
