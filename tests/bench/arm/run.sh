#!/usr/bin/env bash
# Goal: what a training step and an inference cost on boards, without a board: executed instructions, and sizes.
# Method: qemu-user with the board's CPU and a plug-in that counts. Two runs that differ in a number of steps or inferences: the
# difference of their counts, divided. No clock takes part, so that every run says the same. It says nothing about caches or memory.
#
#   tests/bench/arm/run.sh [NETWORK...]       prints Markdown; MACHINES="armel:arm926 ..." chooses others
#   tests/bench/arm/run.sh --sizes            sizes of the stripped programs that deploy/cross/build.sh has built
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)

if [ "${1:-}" = --sizes ]; then
  "$root/deploy/install-deps.sh" cross boards
  stripped=$(mktemp)
  trap 'rm -f "$stripped"' EXIT
  echo "| architecture | tallyd | tally |"
  echo "|---|---|---|"
  for built in armel:arm-linux-gnueabi armhf:arm-linux-gnueabihf arm64:aarch64-linux-gnu amd64:x86_64-linux-gnu; do
    bin=$root/build/cross/${built%%:*}/objects/bin
    [ -e "$bin/tallyd" ] && [ -e "$bin/tally" ] || continue
    line="| ${built%%:*}"
    for program in tallyd tally; do
      "${built#*:}-strip" -o "$stripped" "$bin/$program"
      line+=" | $(($(stat -c %s "$stripped") / 1024)) KiB"
    done
    echo "$line |"
  done
  exit
fi

networks=("$@")
[ ${#networks[@]} -gt 0 ] || networks=(pocketnn/mnist-mlp niti/mnist-mlp niti/har-conv niti/lenet)
read -r -a machines <<<"${MACHINES:-armel:arm926 armel:arm1176 armhf:cortex-a7 arm64:cortex-a53 arm64:cortex-a76}"
# Steps between the two runs. A step is many instructions, and the same for every mini-batch but for a few branches.
steps=${STEPS:-5}

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
    infer=$((($(count "$network" infer $((1 + steps))) - $(count "$network" infer 1)) / steps))
    train=$((($(count "$network" train $((1 + steps))) - $(count "$network" train 1)) / steps))
    rows=$(sed -n 's/^rows //p' "$work/rows")
    echo "| $network | $arch, $QEMU_CPU | $train | $((train / rows)) | $infer |"
  done
done
