"""Train a generator on stills by reconstruction."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator

import cv2
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from . import checkpoint
from .config import TrainingConfig
from .data.shards import read_index
from .data.stills import TrainingCrops
from .losses import reconstruction
from .networks.efficientnet_lite import load_imagenet_weights
from .networks.unet import UNet

_LOG = logging.getLogger(__name__)
_LOG_EVERY = 50
_GRADIENT_NORM = 5.0
CHECKPOINT = "checkpoint.safetensors"


def _average_into(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    """Exponential moving average of every weight and batch-norm statistic."""
    with torch.no_grad():
        for mean, value in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)


def _learning_rate_factor(config: TrainingConfig, step: int) -> float:
    """Linear warm-up, then half a cosine down to zero."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    return 0.5 * (1 + math.cos(math.pi * step / config.steps))


def _batches(config: TrainingConfig, first_step: int) -> Iterator[tuple[Tensor, Tensor]]:
    """One batch a step from ``first_step`` on, growing through the configured crop sizes."""
    stills = read_index(config.data, "train")
    begin = first_step
    for crop, share in config.crops:
        end = round(config.steps * share)
        if begin < end:
            yield from DataLoader(
                TrainingCrops(stills, crop, config.seed),
                batch_size=config.batch_size,
                sampler=range(begin * config.batch_size, end * config.batch_size),
                num_workers=config.workers,
                worker_init_fn=_use_one_opencv_thread,
                multiprocessing_context="spawn",  # a fork of OpenCV's or torch's thread pools hangs
            )
            begin = end


def _use_one_opencv_thread(_worker: int) -> None:
    cv2.setNumThreads(1)


def train(config: TrainingConfig) -> None:
    """Train, or go on training, until ``config.steps``; the checkpoint in ``config.output`` holds the result."""
    config.output.mkdir(parents=True, exist_ok=True)
    path = config.output / CHECKPOINT
    model = UNet(config.encoder)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
    load_imagenet_weights(model.encoder, config.encoder)
    averaged = UNet(config.encoder)
    averaged.load_state_dict(model.state_dict())
    encoder_parameters = list(model.encoder.parameters())
    decoder_parameters = [p for name, p in model.named_parameters() if not name.startswith("encoder.")]
    peaks = (config.encoder_learning_rate, config.decoder_learning_rate)
    optimizer = torch.optim.AdamW(
        [{"params": encoder_parameters}, {"params": decoder_parameters}], weight_decay=config.weight_decay
    )
    done = checkpoint.resume(path, model, averaged, optimizer) if path.exists() else 0

    mean_loss, started = 0.0, time.monotonic()
    for step, (lightness, ab) in enumerate(_batches(config, done), start=done):
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * _learning_rate_factor(config, step)
        predicted = model(lightness.contiguous(memory_format=torch.channels_last))
        loss = reconstruction(predicted, ab)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), _GRADIENT_NORM)
        optimizer.step()
        _average_into(averaged, model, min(config.ema_decay, (1 + step) / (10 + step)))
        mean_loss += (loss.item() - mean_loss) / (step % _LOG_EVERY + 1)
        if (step + 1) % _LOG_EVERY == 0:
            rate = config.batch_size * (step + 1 - done) / (time.monotonic() - started)
            _LOG.info("step %d of %d, loss %.4f, %.0f crops/s", step + 1, config.steps, mean_loss, rate)
            mean_loss = 0.0
        if (step + 1) % config.checkpoint_every == 0 or step + 1 == config.steps:
            checkpoint.save(path, step + 1, model, averaged, optimizer)
