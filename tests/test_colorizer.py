from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest
from skimage import color

from streamcolor import Colorizer, ColorOptions, InputError

from films import moving_luma, photographs

OPTIONS = ColorOptions(engine="onnxruntime", batch_size=2)


@pytest.fixture
def colorizer() -> Iterator[Colorizer]:
    with Colorizer(OPTIONS) as colorizer:
        yield colorizer


def frames(count: int, size: tuple[int, int] = (96, 64)) -> list[av.VideoFrame]:
    made = []
    for number, luma in enumerate(moving_luma(count, size)):
        neutral = np.full((size[1] // 2, size[0]), 128, np.uint8)
        frame = av.VideoFrame.from_ndarray(np.vstack([luma, neutral]), format="yuv420p")
        frame.pts = 10 * number
        made.append(frame)
    return made


def test_frames_come_out_in_order_with_their_times(colorizer: Colorizer) -> None:
    coloured = list(colorizer.colorize_frames(frames(7)))
    assert [frame.pts for frame in coloured] == [0, 10, 20, 30, 40, 50, 60]


def test_source_frames_are_not_written_into(colorizer: Colorizer) -> None:
    """A decoder may still refer to them."""
    sources = frames(3)
    before = [source.to_ndarray().copy() for source in sources]
    coloured = list(colorizer.colorize_frames(sources))
    for source, copy, result in zip(sources, before, coloured, strict=True):
        np.testing.assert_array_equal(source.to_ndarray(), copy)
        assert result.planes[0].buffer_ptr != source.planes[0].buffer_ptr


def test_batch_size_does_not_change_the_colours() -> None:
    results = []
    for batch_size in (1, 3, 8):
        with Colorizer(ColorOptions(engine="onnxruntime", batch_size=batch_size)) as colorizer:
            results.append([frame.to_ndarray() for frame in colorizer.colorize_frames(frames(5))])
    for other in results[1:]:
        for first, second in zip(results[0], other, strict=True):
            assert np.abs(first.astype(int) - second).max() <= 1


def test_pictures_of_several_sizes_and_passengers_keep_their_places(colorizer: Colorizer) -> None:
    wide, tall = frames(3), frames(2, (64, 128))
    mixed = ["a", wide[0], "b", tall[0], wide[1], "c", tall[1], wide[2], "d"]
    result = list(colorizer.colorize_frames(mixed))
    assert [item if isinstance(item, str) else item.width for item in result] == [
        "a", 96, "b", 64, 96, "c", 64, 96, "d",
    ]  # fmt: skip


def test_passengers_do_not_pile_up_behind_a_missing_picture(colorizer: Colorizer) -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    result = colorizer.colorize_frames(endless())
    assert [next(result) for _ in range(1000)] == list(range(1, 1001))
    assert taken < 5000
    result.close()


def test_few_frames_are_held_at_a_time(colorizer: Colorizer) -> None:
    taken = 0

    def film() -> Iterator[av.VideoFrame]:
        nonlocal taken
        for frame in frames(200):
            taken += 1
            yield frame

    # Batches of two: two wait in each of two queues, some at the engine, and one in five hands.
    bound = 2 * (2 * 2 + colorizer.engine.queue_depth + 5)
    for given, _ in enumerate(colorizer.colorize_frames(film()), start=1):
        assert taken - given <= bound


def test_arrays_come_out_as_rgb_of_the_same_lightness(colorizer: Colorizer) -> None:
    luma = np.rint(255 * color.rgb2gray(photographs()[0])).astype(np.uint8)
    (rgb,) = colorizer.colorize_frames([luma])
    assert rgb.shape == (*luma.shape, 3)
    assert rgb.dtype == np.uint8
    weighted = rgb @ np.array([0.299, 0.587, 0.114])
    inside = (rgb.min(axis=2) > 0) & (rgb.max(axis=2) < 255)
    assert np.abs(weighted - luma)[inside].mean() < 1
    assert np.ptp(rgb.astype(int), axis=2).mean() > 3


def test_a_face_is_warm_and_not_gray(colorizer: Colorizer) -> None:
    """The shipped model on a portrait that it never saw: skin leans to red and yellow."""
    picture = photographs()[0]
    luma = np.rint(255 * color.rgb2gray(picture)).astype(np.uint8)
    (rgb,) = colorizer.colorize_frames([luma])
    face = np.s_[80:180, 180:270]
    lab, true = color.rgb2lab(rgb)[face].mean(axis=(0, 1)), color.rgb2lab(picture)[face].mean(axis=(0, 1))
    assert lab[1] > 4
    assert lab[2] > 6
    assert np.hypot(*(lab - true)[1:]) < 15


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4)), np.zeros(4, np.uint8)])
def test_arrays_of_another_kind_are_refused(colorizer: Colorizer, wrong: np.ndarray) -> None:
    with pytest.raises(InputError, match="uint8 array"):
        list(colorizer.colorize_frames([wrong]))


def test_leaving_early_stops_the_threads(colorizer: Colorizer) -> None:
    import threading

    def pipeline() -> list[str]:  # the engine's own threads stay with it
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("prefetch")]

    assert not pipeline()
    for _ in colorizer.colorize_frames(frames(50)):
        break
    import gc

    gc.collect()
    assert not pipeline()


def test_colours_hold_still_unless_told_otherwise() -> None:
    """A still scene under grain: the same colours at its end as at its beginning, and nearly none of the flicker."""
    rng = np.random.default_rng(1)
    gray = cv2.cvtColor(photographs()[0], cv2.COLOR_RGB2GRAY)[:320, :480]
    lumas = [np.clip(gray + rng.normal(0, 8, gray.shape), 0, 255).astype(np.uint8) for _ in range(16)]

    def changes(strength: float) -> tuple[float, int]:
        with Colorizer(ColorOptions(engine="onnxruntime", stabilize=strength)) as colorizer:
            shown = [color.rgb2lab(rgb)[..., 1:] for rgb in colorizer.colorize_frames(lumas)]
        steps = [np.linalg.norm(after - before, axis=-1).mean() for before, after in pairwise(shown[4:])]
        return float(np.mean(steps)), colorizer.still.shots

    held, shots = changes(0.9)
    loose, _ = changes(0.0)
    assert held < loose / 2
    assert shots == 1
