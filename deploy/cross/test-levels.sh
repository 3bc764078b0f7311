#!/usr/bin/env bash
# Runs the kernel tests of a board's architecture under qemu-user, on each CPU that makes a difference, and makes
# sure that the levels expected of that CPU were tested, and no others. Emulation says nothing about speed. Death
# tests are left out: they say nothing about a CPU, and the emulator makes much noise about forks.
#
#   deploy/cross/test-levels.sh armel|armhf|arm64
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
arch=${1:-}

# CPU and the levels that its tests must name, no others.
case $arch in
  armel) emulator=qemu-arm-static machines=("arm926:scalar" "arm1176:scalar simd32" "cortex-a7:scalar simd32") ;;
  armhf) emulator=qemu-arm-static machines=("cortex-a7:scalar simd32 neon" "cortex-a8:scalar simd32 neon") ;;
  arm64)
    emulator=qemu-aarch64-static
    machines=("cortex-a53:scalar neon" "cortex-a72:scalar neon" "cortex-a76:scalar neon dotprod"
      "max:scalar neon dotprod")
    ;;
  *) echo "usage: $0 armel|armhf|arm64" >&2; exit 64 ;;
esac

"$root/deploy/cross/build.sh" "$arch" core_arithmetic_test core_kernels_test
out=$root/build/cross/$arch
export QEMU_LD_PREFIX=$out/sysroot

for machine in "${machines[@]}"; do
  export QEMU_CPU=${machine%%:*}
  wanted=$(tr ' ' '\n' <<<"${machine#*:}" | sort)
  found=$("$emulator" "$out/objects/bin/core_kernels_test" --gtest_list_tests |
    sed -n 's/^  .*\/\([a-z0-9]*\)  # GetParam.*/\1/p' | sort -u)
  if [ "$found" != "$wanted" ]; then
    echo "test-levels: $arch on $QEMU_CPU has levels" $found "where" $wanted "were expected" >&2
    exit 1
  fi
  for test in core_arithmetic_test core_kernels_test; do
    echo "== $test on $QEMU_CPU:" $found
    "$emulator" "$out/objects/bin/$test" --gtest_brief=1 --gtest_filter='-*DeathTest*'
  done
done
