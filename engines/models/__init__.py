"""The models that ship, each one ONNX file beside its model card."""

from __future__ import annotations

from pathlib import Path

#: The model that colours when none is named.
DEFAULT_MODEL = Path(__file__).with_name("streamcolor-lite0.onnx")
