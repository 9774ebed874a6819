"""Build the stand-in for the CUDA driver, and pycuda against it.

    python tests/engines/cuda_standin/build.py FOLDER

leaves ``libcuda.so.1`` and the package pycuda in FOLDER; pycuda takes four minutes, once. Needs gcc and
NVIDIA's toolkit.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

_DRIVER = Path(__file__).with_name("driver.c")
_PYCUDA = "2026.1"
_NOT_SUPPORTED = 801


def toolkit() -> Path | None:
    """The folder of NVIDIA's toolkit, with nvcc and cuda.h; None where there is none."""
    candidates = [os.environ.get("CUDA_ROOT"), os.environ.get("CUDA_HOME"), "/usr/local/cuda"]
    nvcc = shutil.which("nvcc")
    candidates += [str(Path(nvcc).resolve().parent.parent)] if nvcc else []
    found = (Path(folder) for folder in candidates if folder)
    return next((folder.resolve() for folder in found if (folder / "include" / "cuda.h").is_file()), None)


def build(folder: Path) -> None:
    """Bring ``folder`` up to date."""
    root = toolkit()
    if root is None or shutil.which("gcc") is None:
        sys.exit("this needs gcc and NVIDIA's CUDA toolkit, whose folder CUDA_ROOT names")
    folder.mkdir(parents=True, exist_ok=True)
    _build_driver(folder, root / "include")
    if not (folder / f"pycuda-{_PYCUDA}.dist-info").is_dir():
        _build_pycuda(folder, root)


def _build_driver(folder: Path, include: Path) -> None:
    source = _DRIVER.read_text()
    stamp = folder / "driver.sha256"
    digest = hashlib.sha256(source.encode() + Path(__file__).read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    compile_ = ["gcc", "-Wall", "-Wextra", "-O1", "-fPIC", "-I", str(include)]
    subprocess.run([*compile_, "-c", str(_DRIVER), "-o", str(folder / "driver.o")], check=True)
    # Macros of cuda.h give functions their version's suffix.
    headers = "#include <cuda.h>\n#include <cudaProfiler.h>\n"
    preprocess = ["gcc", "-E", "-P", "-I", str(include), "-x", "c", "-"]
    declared = subprocess.run(preprocess, input=headers, check=True, capture_output=True, text=True).stdout
    symbols = subprocess.run(["nm", str(folder / "driver.o")], check=True, capture_output=True, text=True).stdout
    defined = set(re.findall(r" T (\w+)", symbols))
    rest = sorted(set(re.findall(r"CUresult\s+(cu[A-Z]\w+)\s*\(", declared)) - defined)
    (folder / "rest.c").write_text("".join(f"int {name}(void) {{ return {_NOT_SUPPORTED}; }}\n" for name in rest))
    library = folder / "libcuda.so.1"
    link = ["gcc", "-shared", "-fPIC", "-pthread", "-Wl,-soname,libcuda.so.1", "-o", str(library)]
    subprocess.run([*link, str(folder / "driver.o"), str(folder / "rest.c")], check=True)
    name = folder / "libcuda.so"
    name.unlink(missing_ok=True)
    name.symlink_to(library.name)
    stamp.write_text(digest)


def _build_pycuda(folder: Path, root: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet"]
    fetch = [*pip, "download", "--no-deps", "--no-binary", "pycuda", f"pycuda=={_PYCUDA}", "--dest", str(folder)]
    subprocess.run(fetch, check=True)
    with tarfile.open(folder / f"pycuda-{_PYCUDA}.tar.gz") as archive:
        archive.extractall(folder / "source", filter="data")
    source = folder / "source" / f"pycuda-{_PYCUDA}"
    (source / "siteconf.py").write_text("CUDA_ENABLE_CURAND = False\n")  # a library that the toolkit may lack
    environment = os.environ | {
        "CUDA_ROOT": str(root),
        "PATH": f"{root / 'bin'}:{os.environ['PATH']}",
        "CPLUS_INCLUDE_PATH": str(root / "include"),
        "LIBRARY_PATH": str(folder),
    }
    install = [*pip, "install", "--target", str(folder), "--no-deps", str(source)]
    subprocess.run(install, check=True, env=environment)
    needed = [
        *pip,
        "install",
        "--target",
        str(folder),
        "pytools",
        "siphash24",
        "platformdirs",
        "typing-extensions",
        "mako",
    ]
    subprocess.run(needed, check=True)


if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve())
