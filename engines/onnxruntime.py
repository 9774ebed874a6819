"""ONNX Runtime: on the CPU the default engine, float32."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

from .base import ChromaBatch, FeatureBatch, LumaBatch
from .metadata import open_session, spec_of
from .threads import ThreadedEngine, divide_cores


class SessionEngine(ThreadedEngine):
    """A model in an ONNX Runtime session, wherever that computes."""

    def __init__(self, model: Path, session: onnxruntime.InferenceSession, description: str, calls: int) -> None:
        super().__init__(spec_of(model, session), description, calls)
        self._session: onnxruntime.InferenceSession | None = session
        self._outputs = [output.name for output in session.get_outputs()]

    def _compute(self, luma: LumaBatch) -> tuple[ChromaBatch, FeatureBatch | None]:
        assert self._session is not None, "no batch is taken after closing"
        outputs = dict(zip(self._outputs, self._session.run(self._outputs, {"luma": luma}), strict=True))
        return outputs["ab"], outputs.get("features")

    def close(self) -> None:
        """See :meth:`Engine.close`."""
        super().close()
        self._session = None


class ModelEngine(SessionEngine):
    """The model on the CPU."""

    def __init__(self, model: Path) -> None:
        options = onnxruntime.SessionOptions()
        calls, options.intra_op_num_threads = divide_cores()
        # Threads that spin while they wait take the decoder's and the encoder's cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = open_session(model, options)
        super().__init__(model, session, "onnxruntime (float32)", calls)
