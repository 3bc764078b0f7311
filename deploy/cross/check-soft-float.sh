#!/usr/bin/env bash
# Promise P1: cross-builds the integer engine for a CPU without an FPU and proves that no object of ours
# needs floating point. First proves that the check itself can fail.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/deploy/cross
"$here/build.sh" armel core/all
out=$root/build/cross/armel

cat >"$out/must_fail.cc" <<'END'
int Scale(int x, int y) { return static_cast<int>(static_cast<float>(x) * 1.5f / static_cast<float>(y)); }
END
arm-linux-gnueabi-g++ -march=armv5te -mfloat-abi=soft -O2 -c "$out/must_fail.cc" -o "$out/must_fail.o"
if "$here/float-symbols.sh" arm-linux-gnueabi-nm "$out/must_fail.o" >/dev/null; then
  echo "check-soft-float: the check did not see floating point in must_fail.cc" >&2
  exit 1
fi

mapfile -t objects < <(find "$out/objects/core" -name '*.o' | sort)
# Of the machine-specific units only this machine's are built.
sources=$(find "$root/core" -name '*.cc' -not -path '*/kernels/isa/*' | wc -l)
if [ "${#objects[@]}" -lt "$sources" ]; then
  echo "check-soft-float: ${#objects[@]} objects for $sources sources: something was not built" >&2
  exit 1
fi
if ! "$here/float-symbols.sh" arm-linux-gnueabi-nm "${objects[@]}"; then
  echo "check-soft-float: floating point in the objects above" >&2
  exit 1
fi
echo "check-soft-float: ${#objects[@]} objects of core for armv5te -mfloat-abi=soft, no floating-point symbol"
