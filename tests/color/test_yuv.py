import av
import numpy as np
import pytest
from skimage import color as reference

from streamcolor.color.yuv import (
    Coding,
    chroma_codes,
    decode_transfer,
    encode_transfer,
    lightness_to_working_luma,
    working_luma_table,
    working_luma_to_lightness,
)

TRANSFERS = ("bt709", "srgb", "gamma22", "gamma28", "linear")


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_transfers_are_inverses(transfer: str) -> None:
    coded = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(encode_transfer(decode_transfer(coded, transfer), transfer), coded, atol=5e-4)


def test_srgb_transfer_is_scikit_images() -> None:
    coded = np.linspace(0, 1, 256)
    luminance = reference.rgb2xyz(np.repeat(coded[:, None, None], 3, axis=2))[:, 0, 1]
    np.testing.assert_allclose(decode_transfer(coded, "srgb"), luminance, atol=1e-4)


@pytest.mark.parametrize(("matrix", "number"), [("bt709", 1), ("smpte170m", 6), ("bt2020nc", 9)])
@pytest.mark.parametrize("full_range", [False, True])
def test_chroma_codes_are_ffmpegs(matrix: str, number: int, full_range: bool, rng: np.random.Generator) -> None:
    """Colours made gray, then given their own ab again, code to what FFmpeg's scaler codes them to."""
    rgb = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    yuv = frame.reformat(format="yuv444p", dst_colorspace=number, dst_color_range=2 if full_range else 1)
    expected = yuv.to_ndarray()[1:].astype(int)

    linear = decode_transfer(rgb / 255, "bt709")
    lab = reference.xyz2lab(linear @ reference.colorconv.xyz_from_rgb.T)
    luma = 255 * encode_transfer(((lab[..., 0] + 16) / 116) ** 3, "bt709")
    bright = lab[..., 0] > 8  # below, CIE's line has another inverse
    coding = Coding(matrix=matrix, full_range=full_range)
    codes = np.rint(chroma_codes(luma, lab[..., 1:].transpose(2, 0, 1), coding))
    assert np.abs(codes - expected)[:, bright].max() <= 1


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt2020nc"])
def test_no_colour_is_exactly_neutral(bits: int, full_range: bool, matrix: str) -> None:
    luma = np.arange(256, dtype=np.float32)[None]
    codes = chroma_codes(
        luma, np.zeros((2, 1, 256), np.float32), Coding(matrix=matrix, full_range=full_range, bits=bits)
    )
    assert np.all(np.rint(codes) == 2 ** (bits - 1))


@pytest.mark.parametrize(
    ("coding", "black", "white"),
    [
        (Coding(), 16, 235),
        (Coding(full_range=True), 0, 255),
        (Coding(bits=10), 64, 940),
        (Coding(bits=10, full_range=True), 0, 1023),
    ],
)
def test_working_luma_spans_black_to_white(coding: Coding, black: int, white: int) -> None:
    table = working_luma_table(coding)
    assert table[black] == 0
    assert table[white] == 255
    assert np.all(np.diff(table.astype(int)) >= 0)
    assert table[: black + 1].max() == 0
    assert table[white:].min() == 255


def test_working_luma_of_srgb_keeps_lightness() -> None:
    codes = np.arange(256)
    lightness = reference.rgb2lab(np.repeat(codes[:, None, None] / 255, 3, axis=2))[:, 0, 0]
    table = working_luma_table(Coding(transfer="srgb", full_range=True))
    np.testing.assert_allclose(working_luma_to_lightness(table.astype(np.float32)), lightness, atol=0.5)


def test_lightness_survives_working_luma() -> None:
    lightness = np.linspace(0, 100, 1001)
    back = working_luma_to_lightness(lightness_to_working_luma(lightness).astype(np.float32))
    np.testing.assert_allclose(back, lightness, atol=1.0)
