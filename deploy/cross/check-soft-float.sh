#!/usr/bin/env bash
# Promise P1: cross-builds core, proto, daemon and client library for a CPU without an FPU and proves that no object of
# ours needs floating point. First proves that the check itself can fail.
#
# client/cli is exempt: it includes CLI11, whose headers hold floating-point code (an argument parser's, never run on
# data). It is the command on the desk, not the daemon on the board; check-float-types.py covers what we wrote there.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/deploy/cross
parts=(core proto daemon client/lib client/datasets client/training)
"$here/build.sh" armel "${parts[@]/%//all}"
out=$root/build/cross/armel

arm-linux-gnueabi-g++ -march=armv5te -mfloat-abi=soft -O2 -c "$here/fixtures/float_arithmetic.cc" -o "$out/sample.o"
words=$("$here/float-symbols.sh" arm-linux-gnueabi-nm "$out/sample.o") && status=0 || status=$?
if [ $status != 1 ] || ! grep -q '__aeabi_fmul in .*sample.o, function Scale' <<<"$words"; then
  echo "check-soft-float: the check did not see the arithmetic of fixtures/float_arithmetic.cc: $words" >&2
  exit 1
fi

mapfile -t objects < <(cd "$root" && find "${parts[@]/#/build/cross/armel/objects/}" -name '*.o' | sort)
# Every source has its object, but for the machine-specific units, of which only this machine's are built.
for source in $(cd "$root" && find "${parts[@]}" -name '*.cc' -not -path '*/kernels/isa/*'); do
  case " ${objects[*]} " in
    *"/${source##*/}.o "*) ;;
    *) echo "check-soft-float: $source was not built" >&2; exit 1 ;;
  esac
done
if ! (cd "$root" && "$here/float-symbols.sh" arm-linux-gnueabi-nm "${objects[@]}"); then
  echo "check-soft-float: floating point in the objects above" >&2
  exit 1
fi
echo "check-soft-float: ${#objects[@]} objects of ${parts[*]} for armv5te -mfloat-abi=soft, no floating-point symbol"
