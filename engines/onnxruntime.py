"""ONNX Runtime on the CPU: the default engine, float32."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import onnxruntime

from .base import ChromaBatch, LumaBatch
from .metadata import open_session, spec_of
from .threads import usable_cores


class ModelEngine:
    """See :class:`streamcolor.engines.Engine`."""

    description = "onnxruntime (float32)"

    def __init__(self, model: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        # Threads that spin while they wait take the decoder's and the encoder's cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = open_session(model, options)
        self.spec = spec_of(model, self._session)

    def infer(self, luma: LumaBatch) -> ChromaBatch:
        (ab,) = self._session.run(["ab"], {"luma": luma})
        chroma: ChromaBatch = ab
        return chroma

    def close(self) -> None:
        del self._session

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
