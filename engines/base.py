"""What every engine is, and what a model says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from streamcolor.errors import EngineError

#: ``uint8 (N, 1, h, w)``: full-range luma, coded by BT.709's transfer.
LumaBatch = NDArray[np.uint8]
#: ``float32 (N, 2, h / stride, w / stride)``: Lab chroma in ab units.
ChromaBatch = NDArray[np.float32]
#: ``float32 (N, C, h / multiple, w / multiple)``.
FeatureBatch = NDArray[np.float32]

#: What is said of an engine that is used too late.
CLOSED = "this engine is closed; open another"


@dataclass(frozen=True)
class ModelSpec:
    """What a model needs and is, read from its own file's metadata."""

    name: str
    version: str
    #: Working size's short side, in pixels.
    short_side: int
    #: Both sides of the input must be a multiple of this.
    multiple: int
    #: Input pixels from one output pixel to the next.
    stride: int
    #: One sentence on the data and the training.
    training: str
    licence: str

    @classmethod
    def from_metadata(cls, path: Path, metadata: Mapping[str, str]) -> Self:
        """The spec in an ONNX file's metadata.

        Raises:
            EngineError: the file at ``path`` is not a streamcolor model.
        """
        try:
            return cls(
                name=metadata["name"],
                version=metadata["version"],
                short_side=int(metadata["short_side"]),
                multiple=int(metadata["multiple"]),
                stride=int(metadata["stride"]),
                training=metadata["training"],
                licence=metadata["licence"],
            )
        except (KeyError, ValueError) as error:
            raise EngineError(
                f"{path} is an ONNX file, but not a streamcolor model ({error} in its metadata); "
                "export one with streamcolor.training"
            ) from error

    def to_metadata(self) -> dict[str, str]:
        """The spec as an ONNX file's metadata."""
        return {name: str(value) for name, value in vars(self).items()}


class Inference(NamedTuple):
    """What an engine makes of a batch; the caller's own."""

    ab: ChromaBatch
    #: What the model recognizes things by; None where it gives none.
    features: FeatureBatch | None
    #: Seconds that the engine was busy with it.
    seconds: float


@dataclass(frozen=True, eq=False)
class Ticket:
    """A batch that an engine has taken."""

    engine: Engine
    luma: LumaBatch
    result: Future[Inference]


class Engine(Protocol):
    """Runs one model; a context manager that closes itself.

    One thread at a time submits and collects; what an engine does beside is on threads of its own.
    """

    spec: ModelSpec
    #: Tickets that should be out at once for full speed; more only hold frames in memory.
    queue_depth: int
    #: The engine's name and, where it has a choice, its precision: "openvino (bfloat16)".
    description: str

    def submit(self, luma: LumaBatch) -> Ticket:
        """Begin to colour a batch of any size from 1 on, which must stay as it is until it is collected.

        Raises:
            EngineError: the engine is closed.
        """
        ...

    def collect(self, ticket: Ticket) -> Inference:
        """Wait for a batch.

        Raises:
            EngineError: the engine failed, or was closed before the batch was done.
        """
        try:
            return ticket.result.result()
        except CancelledError:
            raise EngineError(CLOSED) from None

    def infer(self, luma: LumaBatch) -> ChromaBatch:
        """Chroma of a batch, waited for; the result is the caller's own.

        Raises:
            EngineError: the engine failed or is closed.
        """
        return self.collect(self.submit(luma)).ab

    def close(self) -> None:
        """Free what the engine holds; it can't be used after."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
