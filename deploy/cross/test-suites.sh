#!/usr/bin/env bash
# Runs the test suites of a board's architecture under qemu-user, once, on the plainest CPU that the architecture is for.
# Kernels on every CPU that makes a difference are test-levels.sh's.
#
#   deploy/cross/test-suites.sh armel|armhf|arm64 [TEST...]
#
# Without TEST: all but those that start tallyd or Python (daemon_process_test, daemon_e2e_test) and the accuracy runs, which
# take hours there. Left out of each: death tests, since the emulator makes much noise about forks; the slow oracle against the
# golden values, which says nothing about a board (the learner there is held against both); LeNet's golden values, for minutes.
# JOBS test programs run at a time.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
arch=${1:-}
case $arch in
  armel) emulator=qemu-arm-static cpu=arm926 ;;
  armhf) emulator=qemu-arm-static cpu=cortex-a7 ;;
  arm64) emulator=qemu-aarch64-static cpu=cortex-a53 ;;
  *) sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac
shift
tests=("$@")
if [ ${#tests[@]} = 0 ]; then
  mapfile -t tests < <(grep -rhoP --include=CMakeLists.txt '^ *tally_test_folder\(\K\w+' "$root/tests" |
    grep -vE '^(daemon_process|daemon_e2e)_test$' | sort)
  # The longest ones first, so that they share the time with all others.
  mapfile -t tests < <(printf '%s\n' crash_test core_oracle_test core_kernels_test "${tests[@]}" | awk '!seen[$0]++')
fi

"$root/deploy/cross/build.sh" "$arch" "${tests[@]}"
out=$root/build/cross/$arch
export QEMU_LD_PREFIX=$out/sysroot QEMU_CPU=$cpu
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

run() { # TEST SHARD SHARDS
  local begin=$SECONDS log=$logs/$1.$2 name=$1
  [ "$3" = 1 ] || name="$1 ($(($2 + 1)) of $3)"
  if GTEST_TOTAL_SHARDS=$3 GTEST_SHARD_INDEX=$2 "$emulator" "$out/objects/bin/$1" --gtest_filter="$filter" >"$log" 2>&1; then
    echo "$name on $arch, $cpu: $(sed -n 's/^\[  PASSED  \] //p' "$log") $((SECONDS - begin)) s"
  else
    touch "$log.failed"
    tail -n 60 "$log"
    echo "$name on $arch, $cpu: FAILED after $((SECONDS - begin)) s"
  fi
}
filter='-*DeathTest*:Niti/NitiGoldenTest.*/Oracle:*LenetIsTheListedOne*'
export -f run
export emulator out arch cpu logs filter
for test in "${tests[@]}"; do
  shards=1
  # The emulator keeps memory of every thread that ever ran; here there are tens of thousands.
  [ "$test" != crash_test ] || shards=14
  for ((shard = 0; shard < shards; ++shard)); do echo "$test $shard $shards"; done
done | xargs -P "${JOBS:-$(nproc)}" -L 1 bash -c 'run "$@"' run
failed=$(cd "$logs" && ls | sed -n 's/\.[0-9]*\.failed$//p' | sort -u | tr '\n' ' ')
[ -z "$failed" ] || { echo "test-suites: failed: $failed" >&2; exit 1; }
