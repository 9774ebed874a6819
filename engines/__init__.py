"""Engines run a model: working luma in, Lab chroma out."""

from .base import Engine, ModelSpec, Ticket
from .registry import AUTO, EngineInfo, engines_here, open_engine

__all__ = ["AUTO", "Engine", "EngineInfo", "ModelSpec", "Ticket", "engines_here", "open_engine"]
