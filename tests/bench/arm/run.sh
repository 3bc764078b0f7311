#!/usr/bin/env bash
# Goal: what a training step and an inference cost on boards, without a board: executed instructions, and sizes.
# Method: qemu-user with the board's CPU and a plug-in that counts. Two runs that differ in ten steps or inferences: a tenth of the
# difference of their counts. No clock takes part, so that every run says the same. It says nothing about caches or memory.
#
#   tests/bench/arm/run.sh [NETWORK...]       prints Markdown; MACHINES="armel:arm926 ..." chooses others
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
networks=("$@")
[ ${#networks[@]} -gt 0 ] || networks=(pocketnn/mnist-mlp pocketnn/fashion-mlp)
read -r -a machines <<<"${MACHINES:-armel:arm926 armel:arm1176 armhf:cortex-a7 arm64:cortex-a53 arm64:cortex-a76}"

"$root/deploy/install-deps.sh" counting
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
g++ -std=c++20 -O2 -shared -fPIC -o "$work/count.so" "$root/tests/bench/arm/count_plugin.cc"

# count ARGUMENT...: instructions of one run.
count() {
  "$emulator" -L "$out/sysroot" -plugin "$work/count.so" -d plugin -D "$work/log" \
    "$out/objects/bin/instruction_cost" "$@" >"$work/rows"
  sed -n 's/^instructions //p' "$work/log"
}

echo "| network | machine | instructions a training step | ... a sample | instructions an inference |"
echo "|---|---|---|---|---|"
for machine in "${machines[@]}"; do
  arch=${machine%%:*}
  export QEMU_CPU=${machine#*:}
  emulator=qemu-arm
  [ "$arch" != arm64 ] || emulator=qemu-aarch64
  out=$root/build/cross/$arch
  "$root/deploy/cross/build.sh" "$arch" instruction_cost >"$work/build.log" 2>&1 ||
    { cat "$work/build.log" >&2; exit 1; }
  for network in "${networks[@]}"; do
    infer=$(($(count "$network" infer 11) - $(count "$network" infer 1)))
    train=$(($(count "$network" train 11) - $(count "$network" train 1)))
    rows=$(sed -n 's/^rows //p' "$work/rows")
    echo "| $network | $arch, $QEMU_CPU | $((train / 10)) | $((train / 10 / rows)) | $((infer / 10)) |"
  done
done
