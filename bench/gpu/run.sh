#!/bin/bash
# Tests and measures cellgrad on the GPU of this machine, without network: Linux on x64 with the GPU's driver. The folder
# was made by scripts/pack-gpu.mjs.
#
#   ./run.sh                    everything below, in this order
#   ./run.sh adapter            the adapter and its limits
#   ./run.sh test               operators and fused rollouts, against the loops of the CPU
#   ./run.sh bench              npm run bench -- --webgpu; further arguments are passed on (--quick, --only growing)
#   ./run.sh pytorch            the same work in PyTorch, where python3 can import torch
#   ./run.sh jax                and in JAX
#
# Results are in results/, or in the folder RESULTS. VK_DRIVER_FILES names a Vulkan driver if none is found.
set -o pipefail
cd "$(dirname "$0")" || exit 1
results=${RESULTS:-results}
mkdir -p "$results"

for file in node node_modules/webgpu/dist/linux-x64/dawn.node; do
  [ -e "$file" ] || { gzip -dc "$file.gz" >"$file.part" && mv "$file.part" "$file"; } || exit 1
done
chmod +x node

# Some containers have NVIDIA's driver but no entry for the Vulkan loader; egl is the part that needs no display.
if [ -z "${VK_DRIVER_FILES:-}${VK_ADD_DRIVER_FILES:-}" ] && ! ls /{etc,usr/share}/vulkan/icd.d/nvidia* >/dev/null 2>&1; then
  export VK_ADD_DRIVER_FILES=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
  [ -e "$VK_ADD_DRIVER_FILES" ] || VK_ADD_DRIVER_FILES=$PWD/lib/nvidia-egl.json:$PWD/lib/nvidia-glx.json
fi

gpu() {
  folders=$PWD/lib
  ldconfig -p 2>/dev/null | grep -q 'libstdc++.so.6' || folders=$folders:$PWD/lib/gcc
  LD_LIBRARY_PATH=$folders${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} ./node "$@"
}

adapter() {
  command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv
  if ! gpu bench/gpu/describe.mjs; then
    echo 'No adapter. What the loader of Vulkan says:'
    VK_LOADER_DEBUG=error,warn,driver gpu bench/gpu/describe.mjs 2>&1 | head -60
    return 1
  fi
}

tests() {
  gpu bench/gpu/tests.mjs
}

bench() {
  gpu bench/lib/run.mjs --webgpu --out "$results" "$@"
}

# usage: python MODULE SCRIPT ARGUMENTS
python() {
  module=$1 script=$2
  shift 2
  if ! python3 -c "import $module" 2>/dev/null; then echo "python3 cannot import $module: left out"; return 0; fi
  python3 "python/$script.py" "$@" | tee "$results/$script.jsonl"
}

step=${1:-all}
[ $# -gt 0 ] && shift
case $step in
  adapter) adapter 2>&1 | tee "$results/adapter.txt" ;;
  test) tests 2>&1 | tee "$results/tests.txt" ;;
  bench) bench "$@" ;;
  pytorch) python torch gpu_pytorch "$@" ;;
  jax) python jax gpu_jax "$@" ;;
  all) for name in adapter test bench pytorch jax; do echo "== $name"; "./run.sh" $name || status=1; done; exit ${status:-0} ;;
  *) echo "run.sh: there is no $step, expected adapter, test, bench, pytorch, jax or nothing" >&2; exit 2 ;;
esac
