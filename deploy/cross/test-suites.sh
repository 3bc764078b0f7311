#!/usr/bin/env bash
# Runs the test suites of a board's architecture under qemu-user, once, on the plainest CPU that the architecture is for.
# Kernels on every CPU that makes a difference are test-levels.sh's.
#
#   deploy/cross/test-suites.sh armel|armhf|arm64 [TEST...]
#
# Without TEST: all but those that start tallyd or Python (daemon_process_test, daemon_e2e_test) and the accuracy runs, which
# take hours there. Death tests are left out, since the emulator makes much noise about forks.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
arch=${1:-}
case $arch in
  armel) emulator=qemu-arm-static cpu=arm926 ;;
  armhf) emulator=qemu-arm-static cpu=cortex-a7 ;;
  arm64) emulator=qemu-aarch64-static cpu=cortex-a53 ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac
shift
tests=("$@")
if [ ${#tests[@]} = 0 ]; then
  mapfile -t tests < <(grep -rhoP --include=CMakeLists.txt '^ *tally_test_folder\(\K\w+' "$root/tests" |
    grep -vE '^(daemon_process|daemon_e2e)_test$' | sort)
fi

"$root/deploy/cross/build.sh" "$arch" "${tests[@]}"
out=$root/build/cross/$arch
export QEMU_LD_PREFIX=$out/sysroot QEMU_CPU=$cpu
log=$(mktemp)
trap 'rm -f "$log"' EXIT

failed=()
for test in "${tests[@]}"; do
  begin=$SECONDS
  if "$emulator" "$out/objects/bin/$test" --gtest_filter='-*DeathTest*' >"$log" 2>&1; then
    echo "$test on $arch, $cpu: $(sed -n 's/^\[  PASSED  \] //p' "$log") $((SECONDS - begin)) s"
  else
    failed+=("$test")
    tail -n 60 "$log"
    echo "$test on $arch, $cpu: FAILED after $((SECONDS - begin)) s"
  fi
done
[ ${#failed[@]} = 0 ] || { echo "test-suites: failed: ${failed[*]}" >&2; exit 1; }
