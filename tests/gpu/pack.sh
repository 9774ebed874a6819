#!/usr/bin/env bash
# Gather what tests/gpu/run.sh needs, in files of at most 60 MB: tests/gpu/pack.sh FOLDER [PACKAGE]
#
# PACKAGE holds TensorRT: tensorrt-cu13 from NVIDIA's index (the default), or tensorrt-rtx-cu13, which PyPI has. Of
# tensorrt-cu13's libraries only those of one architecture are kept: set SM to it, such as 90 for an H100.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$1 package=${2:-tensorrt-cu13} sm=${SM:-90}
mkdir -p "$folder"
pip wheel --quiet --no-deps --wheel-dir "$folder" .
pip download --quiet --dest "$folder" --no-deps --no-binary pycuda pycuda
pip download --quiet --dest "$folder" setuptools wheel pytools siphash24 mako onnx scikit-image \
    av click numpy opencv-python-headless onnxruntime rich "$package"
for libraries in "$folder"/tensorrt_cu13_libs-*.whl; do
    [ -e "$libraries" ] || continue
    zip --quiet --delete "$libraries" $(unzip -Z1 "$libraries" | grep builder_resource_sm | grep -v "_sm$sm\.so") || true
done
find "$folder" -size +60000000c -not -name '*.part*' | while read -r large; do
    split --bytes 60MB --numeric-suffixes --suffix-length 2 "$large" "$large.part" && rm "$large"
done
