"""ONNX Runtime on the CPU: the default engine, float32."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

from streamcolor.errors import EngineError

from .base import ChromaBatch, Engine, LumaBatch
from .metadata import open_session, spec_of
from .threads import divide_cores


class ModelEngine(Engine):
    """The model in an ONNX Runtime session."""

    description = "onnxruntime (float32)"

    def __init__(self, model: Path) -> None:
        options = onnxruntime.SessionOptions()
        self.parallel_calls, options.intra_op_num_threads = divide_cores()
        # Threads that spin while they wait take the decoder's and the encoder's cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = open_session(model, options)
        self.spec = spec_of(model, session)
        self._session: onnxruntime.InferenceSession | None = session

    def infer(self, luma: LumaBatch) -> ChromaBatch:
        """See :meth:`Engine.infer`."""
        if self._session is None:
            raise EngineError("this engine is closed; open another")
        (ab,) = self._session.run(["ab"], {"luma": luma})
        chroma: ChromaBatch = ab
        return chroma

    def close(self) -> None:
        """See :meth:`Engine.close`."""
        self._session = None
