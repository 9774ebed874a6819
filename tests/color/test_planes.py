from fractions import Fraction

import numpy as np
import pytest

from streamcolor.color.planes import expand_chroma, reduce_luma, working_size
from streamcolor.color.yuv import Coding


@pytest.mark.parametrize(
    ("film", "pixel_aspect", "expected"),
    [
        ((640, 480), Fraction(1), (224, 160)),
        ((1920, 1080), Fraction(1), (288, 160)),
        ((1080, 1920), Fraction(1), (160, 288)),
        ((720, 576), Fraction(64, 45), (288, 160)),  # 16:9 PAL
        ((7, 5), Fraction(1), (224, 160)),
        ((4096, 2), Fraction(1), (640, 160)),
        ((1, 4096), Fraction(1), (160, 640)),
    ],
)
def test_working_size_keeps_the_shown_aspect(
    film: tuple[int, int], pixel_aspect: Fraction, expected: tuple[int, int]
) -> None:
    assert working_size(*film, short_side=160, multiple=32, pixel_aspect=pixel_aspect) == expected


def test_luma_is_averaged_over_areas() -> None:
    luma = np.kron(np.array([[16, 235], [235, 16]], np.uint8), np.ones((8, 8), np.uint8))
    reduced = reduce_luma(luma, (2, 2), Coding())
    assert reduced.tolist() == [[0, 255], [255, 0]]
    assert reduce_luma(luma, (1, 1), Coding()).item() in (127, 128)


def test_ten_bits_reduce_to_the_same_working_luma() -> None:
    luma = np.tile(np.arange(16, 236, dtype=np.uint8), (4, 1))
    eight = reduce_luma(luma, luma.shape[::-1], Coding())
    ten = reduce_luma(luma.astype(np.uint16) * 4, luma.shape[::-1], Coding(bits=10))
    np.testing.assert_array_equal(eight, ten)


def test_codes_beyond_the_depth_do_not_fail() -> None:
    luma = np.full((4, 4), 65535, np.uint16)
    assert reduce_luma(luma, (2, 2), Coding(bits=10)).max() == 255


def test_a_flat_colour_fills_both_planes() -> None:
    luma = np.full((8, 8), 128, np.uint8)
    ab = np.stack([np.full((2, 2), 20.0), np.full((2, 2), -30.0)]).astype(np.float32)
    padded = [np.zeros((5, 16), np.uint8) for _ in range(2)]  # a frame's rows are longer than the picture
    cb, cr = (plane[:, :7] for plane in padded)
    expand_chroma(luma, ab, (cb, cr), Coding())
    assert len(np.unique(cb)) == len(np.unique(cr)) == 1
    assert cb[0, 0] > 128  # blue
    assert all(not plane[:, 7:].any() for plane in padded)


def test_left_stays_left() -> None:
    luma = np.full((8, 8), 128, np.uint8)
    ab = np.zeros((2, 2, 2), np.float32)
    ab[1, :, 0] = 60  # yellow on the left
    cb, cr = (np.zeros((8, 8), np.uint16) for _ in range(2))
    expand_chroma(luma, ab, (cb, cr), Coding(bits=10))
    assert cb[0, 0] < 400
    assert cb[0, -1] == 512


def test_chroma_changes_smoothly_between_working_pixels() -> None:
    luma = np.full((8, 32), 128, np.uint8)
    ab = np.zeros((2, 2, 8), np.float32)
    ab[1] = np.linspace(-40, 40, 8)
    cb, cr = (np.zeros((16, 256), np.uint8) for _ in range(2))
    expand_chroma(luma, ab, (cb, cr), Coding())
    steps = np.diff(cb[8].astype(int))
    assert steps.min() >= -1
    assert steps.max() <= 0
    assert cb[8, 0] - cb[8, -1] > 40


@pytest.mark.parametrize("size", [(1920, 1080), (1919, 1079), (854, 480)])
def test_reducing_in_steps_is_averaging_over_areas(size: tuple[int, int]) -> None:
    """Against exact areas, computed by scikit-image on a real picture."""
    from skimage import data, transform

    gray = np.rint(16 + 219 * transform.resize(data.camera(), size[::-1], order=1)).astype(np.uint8)
    expected = 255 * (transform.resize(gray.astype(float), (160, 288), order=1, anti_aliasing=True) - 16) / 219
    reduced = reduce_luma(gray, (288, 160), Coding())
    assert np.abs(reduced - expected).mean() < 1.5
    shifted = np.abs(np.roll(reduced, 1, axis=1) - expected).mean()
    assert np.abs(reduced - expected).mean() < shifted / 3
