import numpy as np
import pytest
from skimage import color as reference

from streamcolor.color.lab import (
    lab_to_linear_rgb,
    lightness_to_luminance,
    luminance_to_lightness,
    rgb_to_xyz_matrix,
)
from streamcolor.color.yuv import decode_transfer


def test_lightness_of_gray_is_scikit_images() -> None:
    luminance = np.linspace(0, 1, 1001)
    expected = reference.xyz2lab(luminance[:, None] * np.array([0.95047, 1, 1.08883]))[:, 0]
    np.testing.assert_allclose(luminance_to_lightness(luminance), expected, atol=1e-4)


def test_luminance_undoes_lightness() -> None:
    luminance = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(lightness_to_luminance(luminance_to_lightness(luminance)), luminance, atol=1e-6)


def test_lab_to_rgb_is_scikit_images(rng: np.random.Generator) -> None:
    coded = rng.random((500, 3))
    lab = reference.rgb2lab(coded).T
    linear = lab_to_linear_rgb(lab[0], lab[1:], "bt709").T
    np.testing.assert_allclose(linear, decode_transfer(coded, "srgb"), atol=2e-3)


@pytest.mark.parametrize(
    ("primaries", "published"),
    [
        # ITU-R BT.709-6 item 3.2 and BT.2020-2 table 4 give luminance's weights to four digits, SMPTE RP 177 the
        # derivation; SMPTE 170M's and EBU's are in RP 177-1993, annex B, and EBU Tech. 3213.
        ("bt709", (0.2126, 0.7152, 0.0722)),
        ("bt2020", (0.2627, 0.6780, 0.0593)),
        ("smpte170m", (0.2124, 0.7011, 0.0866)),
        ("bt470bg", (0.2220, 0.7067, 0.0713)),
    ],
)
def test_luminance_weights_are_the_published_ones(primaries: str, published: tuple[float, ...]) -> None:
    np.testing.assert_allclose(rgb_to_xyz_matrix(primaries)[1], published, atol=1e-4)


def test_colours_outside_the_cube_are_clipped_to_it() -> None:
    rgb = lab_to_linear_rgb(np.array([50.0, 90.0]), np.array([[120.0, -120.0], [-120.0, 120.0]]), "bt709")
    assert rgb.min() >= 0
    assert rgb.max() <= 1
