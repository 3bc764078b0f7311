#!/usr/bin/env bash
# Runs tests of the engine for a board's architecture under qemu-user, on each CPU that makes a difference, and makes
# sure that the levels expected of that CPU were tested, and no others. Emulation says nothing about speed. Death
# tests are left out: they say nothing about a CPU, and the emulator makes much noise about forks.
#
#   deploy/cross/test-levels.sh armel|armhf|arm64 [TEST...]
#
# Without TEST: the arithmetic, the kernels, and the identity of a training run's bits (promise P2), which every CPU has
# to share with every other and with the x86-64 that made the digests.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
arch=${1:-}

# CPU and the levels that its tests must name, no others.
case $arch in
  armel) emulator=qemu-arm-static machines=("arm926:scalar" "arm1176:scalar simd32" "cortex-a7:scalar simd32") ;;
  armhf)
    emulator=qemu-arm-static
    machines=("cortex-a7:scalar simd32 neon" "cortex-a8:scalar simd32 neon" "cortex-a7,neon=off:scalar simd32")
    ;;
  arm64)
    emulator=qemu-aarch64-static
    machines=("cortex-a53:scalar neon" "cortex-a72:scalar neon" "cortex-a76:scalar neon dotprod"
      "max:scalar neon dotprod")
    ;;
  *) echo "usage: $0 armel|armhf|arm64 [TEST...]" >&2; exit 64 ;;
esac
shift
tests=("$@")
[ ${#tests[@]} -gt 0 ] || tests=(core_arithmetic_test core_kernels_test core_identity_test)

"$root/deploy/cross/build.sh" "$arch" "${tests[@]}"
out=$root/build/cross/$arch
export QEMU_LD_PREFIX=$out/sysroot
log=$(mktemp)
trap 'rm -f "$log"' EXIT

for machine in "${machines[@]}"; do
  export QEMU_CPU=${machine%%:*}
  wanted=$(tr ' ' '\n' <<<"${machine#*:}" | sort)
  for test in "${tests[@]}"; do
    echo "== $test on $arch, $QEMU_CPU"
    "$emulator" "$out/objects/bin/$test" --gtest_filter='-*DeathTest*' >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
    # A test of one level has the level's name at the end of its own: "Suite/Case.Test/thing_neon".
    found=$(sed -n 's/^\[ *OK \] .*[/_]\(scalar\|simd32\|neon\|dotprod\)\b.*/\1/p' "$log" | sort -u)
    tail -n 3 "$log" | grep -E 'PASSED|SKIPPED'
    [ "$test" = core_arithmetic_test ] || [ "$found" = "$wanted" ] || {
      echo "test-levels: $test tested the levels" $found "where" $wanted "were expected" >&2
      exit 1
    }
  done
done
