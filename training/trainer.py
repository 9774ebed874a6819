"""Train a generator on stills: by reconstruction, then against a discriminator."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

import cv2
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader

from streamcolor.errors import DatasetError, TrainingError

from . import checkpoint, losses
from .config import StageConfig, TrainingConfig
from .data.shards import read_index
from .data.stills import TrainingCrops
from .moves import Move
from .networks.base import Colours, Generator
from .networks.build import build_discriminator, build_generator
from .networks.heads import bin_centers, nearest_bins
from .restore import load_onnx, unfold_batch_norms
from .run_log import RunLog

_LOG = logging.getLogger(__name__)
_LOG_EVERY = 50
#: Crops from which a stage learns how common each colour is, and by which a model's batch norms are set.
_COLOUR_SAMPLE = 256
_NORM_SAMPLE = 64
CHECKPOINT = "checkpoint.safetensors"


def train(config: TrainingConfig, *, resume: bool = False) -> None:
    """Train until the last stage's last step; the checkpoint in ``config.output`` holds the result.

    Args:
        resume: go on from that checkpoint, with the data that would have come next.

    Raises:
        DatasetError: there is nothing to learn from.
        TrainingError: the output holds a run already, its checkpoint is none of this network, a loss is not finite,
            or a checkpoint can't be written.
    """
    fabric = Fabric(
        devices=config.devices,
        strategy="ddp" if config.devices > 1 else "auto",
        precision="bf16-mixed" if _mixes(config) else "32-true",
    )
    fabric.launch()
    path = config.output / CHECKPOINT
    if path.exists() and not resume:
        raise TrainingError(f"{config.output} holds a run already; go on with --resume, or name another output")
    fabric.barrier()
    _Run(config, fabric).go()


def _mixes(config: TrainingConfig) -> bool:
    if config.precision == "auto":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return config.precision == "mixed"


class _Run:
    """One process of a run."""

    def __init__(self, config: TrainingConfig, fabric: Fabric) -> None:
        self._config = config
        self._fabric = fabric
        self._stills = read_index(config.data, "train")
        if not self._stills:
            raise DatasetError(f"no training stills in {', '.join(map(str, config.data))}")
        torch.manual_seed(config.seed)
        self._generator = self._new_generator().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._averaged = build_generator(config.networks.generator).to(fabric.device).requires_grad_(False)
        self._averaged.load_state_dict(self._generator.state_dict())
        self._discriminator = build_discriminator(config.networks)
        # The wrappers share gradients among processes and compute in the precision asked for.
        self._shared_generator = fabric.setup_module(self._generator)
        self._shared_discriminator = fabric.setup_module(self._discriminator)

    def _new_generator(self) -> Generator:
        config = self._config
        if config.initial is None:
            return build_generator(config.networks.generator, pretrained=True)
        generator = load_onnx(config.initial, config.networks.generator)
        crops = TrainingCrops(self._stills, config.stages[0].crops[0][0], generator.stride, config.seed)
        unfold_batch_norms(generator, torch.stack([crops[number][0] for number in range(_NORM_SAMPLE)]))
        return generator

    def go(self) -> None:
        """Every stage that is not yet done."""
        config = self._config
        config.output.mkdir(parents=True, exist_ok=True)
        path = config.output / CHECKPOINT
        saved = checkpoint.read(path) if path.exists() else None
        if saved:
            saved.require(config.networks)
        done = saved.step if saved else 0
        with ExitStack() as opened:
            log = None
            if self._fabric.is_global_zero:
                log = opened.enter_context(RunLog(config.output, read_index(config.data, "val"), done))
            first = 0
            for stage in config.stages:
                if done < first + stage.steps:
                    self._run_stage(stage, first, max(done, first), saved, log)
                    saved = None
                first += stage.steps

    def _run_stage(
        self, stage: StageConfig, first: int, done: int, saved: checkpoint.Checkpoint | None, log: RunLog | None
    ) -> None:
        """Steps ``done`` to ``first + stage.steps`` of the run; the stage began with step ``first``."""
        config, fabric = self._config, self._fabric
        state = self._new_state(stage)
        path = config.output / CHECKPOINT
        if saved:
            saved.restore(state, optimizers=done > first)
        weights = self._class_weights(stage) if stage.reconstruction == "classes" else None
        recent: dict[str, deque[float]] = {}
        started = time.monotonic()
        for step, (lightness, true) in enumerate(self._batches(stage, first, done), start=done):
            torch.manual_seed(config.seed + step * fabric.world_size + fabric.global_rank)  # of the generator's noise
            factor = _learning_rate_factor(stage, step - first)
            for group in (*state.generator_optimizer.param_groups, *state.discriminator_optimizer.param_groups):
                group["lr"] = factor * group["peak"]
            self._shared_generator.train()
            made, steadiness = self._colours(stage, lightness)
            values: dict[str, Tensor] = {}
            if stage.adversarial != "none":
                values |= self._teach_discriminator(stage, lightness, true, made, state.discriminator_optimizer)
            values |= self._teach_generator(
                stage, lightness, true, made, steadiness, weights, state.generator_optimizer
            )
            _average_into(self._averaged, self._generator, min(config.ema_decay, (1 + step) / (10 + step)))
            for name, value in values.items():
                recent.setdefault(name, deque(maxlen=_LOG_EVERY)).append(value.item())

            finished, last = step + 1, first + stage.steps
            if log and (finished % _LOG_EVERY == 0 or finished == last):
                rate = stage.batch_size * (finished - done) / (time.monotonic() - started)
                _report(log, finished, config.steps, recent, rate, factor * stage.learning_rate)
            if log and finished % config.picture_every == 0:
                log.pictures(finished, self._averaged)
            if fabric.is_global_zero and (finished % config.checkpoint_every == 0 or finished == last):
                checkpoint.save(path, finished, config.networks, state)
        fabric.barrier()

    def _colours(self, stage: StageConfig, lightness: Tensor) -> tuple[Colours, Tensor | None]:
        """Colours of a batch and, where the stage asks for it, how far those of its next frames are from them."""
        move = Move.random(len(lightness), lightness.device) if stage.steadiness_weight else None
        frames = lightness if move is None else torch.cat([lightness, move.of_lightness(lightness)])
        made: Colours = self._shared_generator(frames.contiguous(memory_format=torch.channels_last))
        if move is None:
            return made, None
        ab, next_ab = made.ab.chunk(2)
        logits = None if made.logits is None else made.logits.chunk(2)[0]
        return Colours(ab, logits), losses.steadiness(ab, next_ab, move)

    def _new_state(self, stage: StageConfig) -> checkpoint.TrainingState:
        pretrained = self._generator.pretrained_parameters()
        known = set(map(id, pretrained))
        fresh = [parameter for parameter in self._generator.parameters() if id(parameter) not in known]
        groups = [
            {"params": parameters, "peak": peak}
            for parameters, peak in (
                (pretrained, stage.pretrained_learning_rate),
                (fresh, stage.learning_rate),
            )
            if parameters
        ]
        discriminating = [{"params": self._discriminator.parameters(), "peak": stage.discriminator_learning_rate}]
        return checkpoint.TrainingState(
            self._generator,
            self._averaged,
            self._discriminator,
            torch.optim.AdamW(groups, betas=stage.betas, weight_decay=stage.weight_decay),
            torch.optim.AdamW(discriminating, betas=stage.betas, weight_decay=0),
        )

    def _batches(self, stage: StageConfig, first: int, done: int) -> Iterator[tuple[Tensor, Tensor]]:
        """A batch a step from step ``done`` on, in the stage's crop sizes: this process's share of it."""
        fabric, size = self._fabric, stage.batch_size
        begin = done
        for crop, share in stage.crops:
            end = first + round(stage.steps * share)
            if begin < end:
                loader = DataLoader(
                    TrainingCrops(self._stills, crop, self._generator.stride, self._config.seed),
                    batch_size=size // fabric.world_size,
                    sampler=range(begin * size + fabric.global_rank, end * size, fabric.world_size),
                    num_workers=self._config.workers,
                    worker_init_fn=_use_one_opencv_thread,
                    # A fork of OpenCV's or torch's thread pools hangs.
                    multiprocessing_context="spawn" if self._config.workers else None,
                )
                for lightness, true in loader:
                    yield lightness.to(fabric.device), true.to(fabric.device)
                begin = end

    def _teach_discriminator(
        self, stage: StageConfig, lightness: Tensor, true: Tensor, made: Colours, optimizer: torch.optim.Optimizer
    ) -> dict[str, Tensor]:
        self._discriminator.requires_grad_(True)
        judged = self._shared_discriminator(torch.cat([lightness, lightness]), torch.cat([true, made.ab.detach()]))
        of_true, of_made = losses.halves(judged)
        loss = losses.discriminator_loss(_adversary(stage), of_true.logits, of_made.logits)
        self._learn(loss, self._shared_discriminator, optimizer)
        return {"discriminator": loss.detach()}

    def _teach_generator(
        self,
        stage: StageConfig,
        lightness: Tensor,
        true: Tensor,
        made: Colours,
        steadiness: Tensor | None,
        class_weights: Tensor | None,
        optimizer: torch.optim.Optimizer,
    ) -> dict[str, Tensor]:
        values = {"reconstruction": _reconstruction(stage, made, true, class_weights)}
        loss = stage.reconstruction_weight * values["reconstruction"]
        if steadiness is not None:
            values["steadiness"] = steadiness
            loss = loss + stage.steadiness_weight * steadiness
        if stage.adversarial != "none":
            self._discriminator.requires_grad_(False)
            with self._fabric.autocast():  # not through the wrapper, which would wait for gradients of its own
                judged = self._discriminator(lightness, made.ab)
                of_true = self._discriminator(lightness, true) if stage.feature_matching_weight else None
            values["adversarial"] = losses.adversarial_loss(_adversary(stage), judged.logits.float())
            loss = loss + stage.adversarial_weight * values["adversarial"]
            if of_true:
                values["feature matching"] = losses.feature_matching(of_true.features, judged.features)
                loss = loss + stage.feature_matching_weight * values["feature matching"]
        self._learn(loss, self._shared_generator, optimizer)
        return {name: value.detach() for name, value in values.items()}

    def _learn(self, loss: Tensor, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """One step, unless the gradients, which all processes share, are not finite.

        Raises:
            TrainingError: they are not; no weight was changed.
        """
        optimizer.zero_grad()
        self._fabric.backward(loss)
        norm = nn.utils.clip_grad_norm_(network.parameters(), self._config.gradient_norm)
        if not torch.isfinite(norm):
            raise TrainingError(
                f"the loss is {loss.item():.4g} and its gradient's norm {norm.item()}; lower the learning rates, "
                f"then go on from the last checkpoint in {self._config.output} with --resume"
            )
        optimizer.step()

    def _class_weights(self, stage: StageConfig) -> Tensor:
        crops = TrainingCrops(self._stills, stage.crops[0][0], self._generator.stride, self._config.seed)
        bins = torch.cat([nearest_bins(crops[number][1][None]).flatten() for number in range(_COLOUR_SAMPLE)])
        shares = torch.bincount(bins, minlength=len(bin_centers())).float() / len(bins)
        return losses.class_weights(shares, stage.rebalance).to(self._fabric.device)


def _report(
    log: RunLog, step: int, steps: int, recent: Mapping[str, Sequence[float]], rate: float, learning_rate: float
) -> None:
    means = {name: sum(values) / len(values) for name, values in recent.items()}
    log.scalars(step, means | {"crops a second": rate, "learning rate": learning_rate})
    shown = ", ".join(f"{name} {value:.4f}" for name, value in means.items())
    _LOG.info("step %d of %d: %s, %.0f crops/s", step, steps, shown, rate)


def _adversary(stage: StageConfig) -> losses.Adversary:
    assert stage.adversarial != "none"
    return stage.adversarial


def _reconstruction(stage: StageConfig, made: Colours, true: Tensor, class_weights: Tensor | None) -> Tensor:
    if class_weights is not None:
        return losses.classification(made, true, class_weights)
    weights = losses.chroma_weights(true, stage.chroma_of_double_weight)
    compare = losses.smooth_l1 if stage.reconstruction == "smooth_l1" else losses.mean_squared
    return compare(made, true, weights)


def _average_into(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    """Exponential moving average of every weight and batch-norm statistic."""
    with torch.no_grad():
        for mean, value in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)


def _learning_rate_factor(stage: StageConfig, step: int) -> float:
    """Linear warm-up, then half a cosine down to zero at the stage's end."""
    if step < stage.warmup_steps:
        return (step + 1) / stage.warmup_steps
    return 0.5 * (1 + math.cos(math.pi * step / stage.steps))


def _use_one_opencv_thread(_worker: int) -> None:
    cv2.setNumThreads(1)
