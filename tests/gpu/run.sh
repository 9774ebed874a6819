#!/usr/bin/env bash
# On a machine with an NVIDIA GPU, without network:
#
#   tests/gpu/run.sh WHEELS [RESULT.json]
#
# installs streamcolor and all that it needs from the folder WHEELS, checks the TensorRT engine's colours against ONNX
# Runtime's, runs compute-sanitizer over it, measures, and writes one JSON. tests/gpu/pack.sh makes the folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
wheels=$1
name=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -n 1 | tr ' /' '--')
result=$(realpath -m "${2:-tests/gpu/results/$name.json}")
environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT

# Files over 60 MB come in pieces.
for first in "$wheels"/*.part00; do
    [ -e "$first" ] && cat "${first%00}"?? > "${first%.part00}"
done
python3 -m venv "$environment"
# pycuda is compiled here, for this machine's toolkit; what that needs is in the folder too.
"$environment/bin/pip" install --quiet --no-index --find-links "$wheels" setuptools wheel numpy
"$environment/bin/pip" install --quiet --no-index --find-links "$wheels" --no-build-isolation pycuda
"$environment/bin/pip" install --quiet --no-index --find-links "$wheels" streamcolor onnx scikit-image click
"$environment/bin/pip" install --quiet --no-index --find-links "$wheels" tensorrt-cu13 ||
    "$environment/bin/pip" install --quiet --no-index --find-links "$wheels" tensorrt-rtx-cu13
export XDG_CACHE_HOME=$environment/cache
if command -v compute-sanitizer > /dev/null; then
    compute-sanitizer --tool memcheck --error-exitcode 1 \
        "$environment/bin/streamcolor" engine bench --engine tensorrt --seconds 1
fi
"$environment/bin/python" tests/gpu/measure.py --engine tensorrt --json "$result"
