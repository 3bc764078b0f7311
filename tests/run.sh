#!/usr/bin/env bash
# All tests, on a fresh Debian 12 machine.
#
#   tests/run.sh            the whole suite, the checks of the house, the proofs that nothing of ours uses floating point,
#                           one training run on emulated boards, bit for bit, and the engine, storage and
#                           hosting tests under ASan + UBSan
#   tests/run.sh --all      besides: the whole suite under ASan + UBSan and under TSan, the long variants, and the
#                           kernels of ARM boards under emulation
#
# TALLY_DATA_DIR names the folder with mnist/, fashion-mnist/ ... (default: ../shared/data beside the project);
# tests of data that is absent are skipped and say so. JOBS sets the number of parallel jobs.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

all=no
case "${1:-}" in
  "") ;;
  --all) all=yes ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac

jobs=${JOBS:-$(nproc)}
export TALLY_DATA_DIR=${TALLY_DATA_DIR:-$root/../shared/data}
[ -d "$TALLY_DATA_DIR" ] || echo "data: $TALLY_DATA_DIR is absent; tests on real data will be skipped"
export PATH=/usr/bin:/bin:/usr/sbin:/sbin:$PATH  # Debian's python3 has Debian's grpcio
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
# Without ignore_noninstrumented_modules every byte of a large message is a false race inside gRPC, suppressed one
# by one, which takes minutes.
export TSAN_OPTIONS=suppressions=$root/tests/tsan.supp:halt_on_error=1:second_deadlock_stack=1:ignore_noninstrumented_modules=1

passed=0 failed=0 failures=()
started=$SECONDS

# stage NAME COMMAND...: runs one stage, counts it, and goes on.
stage() {
  local name=$1 begin=$SECONDS
  shift
  echo "== $name"
  if "$@"; then
    passed=$((passed + 1))
    echo "== $name: passed in $((SECONDS - begin)) s"
  else
    failed=$((failed + 1))
    failures+=("$name")
    echo "== $name: FAILED after $((SECONDS - begin)) s"
  fi
}

# build PRESET [TARGET...]
build() {
  local preset=$1
  shift
  cmake --preset "$preset" >"build/$preset.configure.log" 2>&1 || { cat "build/$preset.configure.log"; return 1; }
  cmake --build "build/$preset" -j "$jobs" ${1:+--target "$@"}
}

# suite PRESET [CTEST ARGUMENT...]: what failed is named once more at the very end, where a cut log still has it.
suite() {
  local preset=$1 list=build/$1/Testing/Temporary/LastTestsFailed.log
  shift
  rm -f "$list"
  ctest --test-dir "build/$preset" -j "$jobs" --output-on-failure --no-tests=error "$@" && return
  [ ! -f "$list" ] || while IFS= read -r test; do failures+=("$preset, test ${test#*:}"); done <"$list"
  return 1
}

# The tests without gRPC: cheap to build with sanitizers, and where memory is touched by hand.
quick_targets=(core_arithmetic_test core_kernels_test core_parallel_test core_text_test core_learner_test core_pocketnn_test core_niti_test
  core_checkpoint_test core_oracle_test daemon_storage_test daemon_hosting_test client_datasets_test crash_test)
quick_pattern="^($(IFS='|'; echo "${quick_targets[*]}"))\\."

mkdir -p build
stage "install packages" deploy/install-deps.sh build test cross boards proof
stage "build (dev)" build dev
stage "tests (dev)" suite dev
stage "checks of the house" tests/checks/run.sh
stage "soft-float proof (armel)" deploy/cross/check-soft-float.sh
stage "bit identity (armel, emulated)" deploy/cross/test-levels.sh armel core_identity_test
stage "bit identity (arm64, emulated)" deploy/cross/test-levels.sh arm64 core_identity_test
stage "syntax trees without floats (engine, storage)" deploy/cross/check-float-types.py build/dev core daemon/storage
stage "general registers only (x86-64)" deploy/cross/check-general-regs.py build/dev
stage "general registers only (arm64)" deploy/cross/check-general-regs.py build/cross/arm64/objects
stage "vector units without floats" deploy/cross/check-simd-units.sh build/dev build/cross/armel/objects build/cross/arm64/objects
if [ "$all" = no ]; then
  stage "build (asan, engine to hosting)" build asan "${quick_targets[@]}"
  stage "tests (asan, engine to hosting)" suite asan -R "$quick_pattern"
else
  # The thread sanitizer needs its shadow where address-space randomisation would not put other things.
  [ "$(id -u)" = 0 ] && sysctl -q vm.mmap_rnd_bits=28 || true
  stage "build (asan)" build asan
  stage "tests (asan)" suite asan
  stage "build (tsan)" build tsan
  stage "tests (tsan)" suite tsan
  export TALLY_LONG=1
  stage "long variants (dev)" suite dev
  stage "syntax trees without floats (all of ours)" deploy/cross/check-float-types.py build/dev
  for arch in armel armhf arm64; do
    stage "kernel levels ($arch, emulated)" deploy/cross/test-levels.sh "$arch"
  done
  stage "cross-build and packages (amd64)" deploy/cross/build.sh amd64
  stage "packages (amd64)" tests/packages/run.sh amd64
fi

echo "took $((SECONDS - started)) s"
for name in ${failures[@]+"${failures[@]}"}; do echo "failed: $name"; done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
