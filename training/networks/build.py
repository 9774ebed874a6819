"""Networks by their configuration."""

from __future__ import annotations

from ..config import FullResConfig, NetworksConfig, UNetConfig
from .base import Discriminator, Generator
from .discriminators import PaperDiscriminator, PatchDiscriminator
from .efficientnet_lite import EfficientNetLite, load_imagenet_weights
from .fullres import FullRes
from .heads import BinsHead, RegressionHead
from .plain import PlainEncoder
from .unet import UNet


def build_generator(config: UNetConfig | FullResConfig, *, pretrained: bool = False) -> Generator:
    """A generator with random weights.

    Args:
        pretrained: fill the encoder with ImageNet's weights, where it has some.

    Raises:
        MissingExtraError: those weights are not installed.
    """
    if isinstance(config, FullResConfig):
        return FullRes(config.widths, config.noise)
    encoder: EfficientNetLite | PlainEncoder
    if config.encoder == "plain":
        encoder = PlainEncoder(config.plain_widths)
    else:
        encoder = EfficientNetLite(config.encoder)
        if pretrained:
            load_imagenet_weights(encoder, config.encoder)
    width = config.decoder[0]
    head = BinsHead(width, config.temperature) if config.head == "bins" else RegressionHead(width)
    return UNet(encoder, config.decoder, head)


def build_discriminator(config: NetworksConfig) -> Discriminator:
    """A discriminator with random weights for the generator beside it."""
    if config.discriminator == "paper":
        return PaperDiscriminator()
    return PatchDiscriminator(FullRes.stride if isinstance(config.generator, FullResConfig) else UNet.stride)
