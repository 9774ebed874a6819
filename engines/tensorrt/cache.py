"""Plans on disk: built once for a model, a GPU and a TensorRT, and loaded from nowhere else, since they hold code."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from streamcolor.errors import EngineError

from .builder import Precision, Shape


@dataclass(frozen=True)
class PlanKey:
    """All that a plan depends on; another value of any of these is another plan."""

    #: The model's name, for people, and the SHA-256 of its file.
    model: str
    model_digest: str
    #: Name and version of the package that built it.
    tensorrt: str
    gpu: str
    #: The GPU's compute capability: "9.0".
    capability: str
    #: CUDA's version that the driver offers: 13000 for 13.0.
    driver: int
    precision: Precision
    #: The builder's optimization level.
    level: int
    #: Smallest, tuned for and largest shape.
    profile: tuple[Shape, Shape, Shape]

    @property
    def name(self) -> str:
        """What the plan's files are called, without suffix."""
        return hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode()).hexdigest()[:32]

    def differences(self, other: Self) -> list[str]:
        """Names of what is not the same."""
        return [
            field.name for field in dataclasses.fields(self) if getattr(self, field.name) != getattr(other, field.name)
        ]


@dataclass(frozen=True)
class CachedPlan:
    """A plan in the cache."""

    key: PlanKey
    #: SHA-256 of the plan, and its size in bytes.
    digest: str
    size: int
    #: Seconds that building took.
    seconds: float


def default_folder() -> Path:
    """``streamcolor/plans`` where the system keeps a user's caches."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamcolor" / "plans"


class PlanCache:
    """A folder of plans, each with a sidecar that says what it is; nobody but their owner may write there.

    Raises:
        EngineError: the folder belongs to somebody else, or others may write to it, or it can't be made.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(f"the cache of plans {self.folder} can't be made: {error.strerror}") from error
        _require_ours(self.folder)

    def load(self, key: PlanKey) -> bytes | None:
        """The plan of a key; None where there is none that is whole and ours."""
        entry = self._entry(self.folder / f"{key.name}.json")
        if entry is None or entry.key != key:
            return None
        path = self.folder / f"{key.name}.plan"
        try:
            _require_ours(path)
            plan = path.read_bytes()
        except (OSError, EngineError):
            return None
        return plan if hashlib.sha256(plan).hexdigest() == entry.digest else None

    def store(self, key: PlanKey, plan: bytes, seconds: float) -> None:
        """Keep a plan, in the place of one of the same key."""
        entry = CachedPlan(key, hashlib.sha256(plan).hexdigest(), len(plan), seconds)
        self._write(f"{key.name}.plan", plan)
        self._write(f"{key.name}.json", json.dumps(dataclasses.asdict(entry), indent=1).encode())

    def stale(self, key: PlanKey) -> CachedPlan | None:
        """A plan of the same model, GPU and precision that can't be used any more."""
        alike = {"model", "gpu", "precision"}
        found = (entry for entry in self if not alike & set(entry.key.differences(key)))
        return next((entry for entry in found if entry.key != key), None)

    def timings(self, key: PlanKey) -> bytes:
        """The builder's timing cache for a key's GPU and TensorRT; empty where there is none."""
        path = self.folder / self._timings_name(key)
        try:
            _require_ours(path)
            return path.read_bytes()
        except (OSError, EngineError):
            return b""

    def store_timings(self, key: PlanKey, timings: bytes) -> None:
        """Keep the builder's timing cache."""
        self._write(self._timings_name(key), timings)

    @staticmethod
    def _timings_name(key: PlanKey) -> str:
        parts = f"{key.tensorrt} {key.gpu} {key.capability} {key.driver}"
        return f"{hashlib.sha256(parts.encode()).hexdigest()[:32]}.timings"

    def __iter__(self) -> Iterator[CachedPlan]:
        for path in sorted(self.folder.glob("*.json")):
            entry = self._entry(path)
            if entry is not None:
                yield entry

    def clear(self) -> int:
        """Remove everything; returns how many plans there were."""
        count = sum(1 for _ in self.folder.glob("*.plan"))
        for suffix in ("json", "plan", "timings", "partial"):
            for path in self.folder.glob(f"*.{suffix}"):
                path.unlink(missing_ok=True)
        return count

    @staticmethod
    def _entry(path: Path) -> CachedPlan | None:
        try:
            _require_ours(path)
            values = json.loads(path.read_text())
            low, best, high = (tuple(shape) for shape in values["key"].pop("profile"))
            return CachedPlan(PlanKey(**values.pop("key"), profile=(low, best, high)), **values)
        except (OSError, EngineError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def _write(self, name: str, content: bytes) -> None:
        """Under its final name a file is complete, and its owner's alone.

        Raises:
            EngineError: the disk is full, or the folder gone.
        """
        try:
            handle, unfinished = tempfile.mkstemp(suffix=".partial", dir=self.folder)  # readable by nobody else
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                Path(unfinished).replace(self.folder / name)
            finally:
                Path(unfinished).unlink(missing_ok=True)
        except OSError as error:
            raise EngineError(f"the cache of plans {self.folder} can't be written: {error.strerror}") from error


def _require_ours(path: Path) -> None:
    """Refuse what somebody else could have written.

    Raises:
        EngineError: it is another user's, or others may write to it.
        OSError: it is not there.
    """
    if not hasattr(os, "getuid"):  # Windows keeps a user's folders to that user
        return
    status = path.lstat()
    if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or stat.S_ISLNK(status.st_mode):
        raise EngineError(
            f"{path} is not safe to load plans from, since others may write to it; "
            "remove it, or name another folder with XDG_CACHE_HOME"
        )
