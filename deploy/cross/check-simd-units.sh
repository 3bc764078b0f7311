#!/usr/bin/env bash
# Promise P1 for the kernels, the machine-specific units among them: reads every instruction in their objects and fails at one
# that calculates with floating-point numbers. Moves and bit operations that carry the name of a float type (movaps,
# xorps, fmov) are not such. First proves for each machine that the check can fail.
#
#   deploy/cross/check-simd-units.sh BUILD_FOLDER...
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 64; }

# x86: x87; conversions; whatever works on packed or scalar singles, doubles or halves, moves and bit operations aside.
x86='^(f[a-z]|v?cvt|v?[a-z0-9]+(ps|pd|ss|sd)$|v[a-z0-9]+(ph|sh)$)'
x86_moves='^(v?mov|v?(andn?|or|xor)p[sd]$|v?unpck|v?shuf|v?blend|v?insertps|vperm|vbroadcast|vp[a-z]|p(ack|madd|sub|add|avg|cmp))'
arm='^v[a-z]+(\.[a-z0-9]+)*\.f(16|32|64)|^vcvt'
aarch64='^(f[a-z]+|[su]cvtf|bf(dot|mmla|cvtn?|mlal[bt]))'
aarch64_moves='^fmov$'

# machine OBJECT: "x86", "arm" or "aarch64".
machine() {
  case $(readelf -h "$1" | sed -n 's/^ *Machine: *//p') in
    *X86-64*) echo x86 ;;
    AArch64) echo aarch64 ;;
    ARM) echo arm ;;
    *) echo "$0: what machine is $1 for?" >&2; return 1 ;;
  esac
}
# tool MACHINE NAME
tool() {
  case $1 in
    x86) echo "$2" ;;
    aarch64) echo "aarch64-linux-gnu-$2" ;;
    arm) command -v "arm-linux-gnueabihf-$2" || echo "arm-linux-gnueabi-$2" ;;
  esac
}
# floats OBJECT: prints "function: instruction" for each instruction that calculates with floats.
floats() {
  local kind pattern moves
  kind=$(machine "$1")
  case $kind in
    x86) pattern=$x86 moves=$x86_moves ;;
    arm) pattern=$arm moves='^$' ;;
    aarch64) pattern=$aarch64 moves=$aarch64_moves ;;
  esac
  "$(tool "$kind" objdump)" -d -C --no-show-raw-insn "$1" | awk -v pattern="$pattern" -v moves="$moves" '
    /^[0-9a-f]+ </ { name = $0; sub(/^[0-9a-f]+ </, "", name); sub(/>:$/, "", name); next }
    /^ *[0-9a-f]+:/ {
      seen = 1
      if ($2 ~ pattern && $2 !~ moves) { sub(/^ *[0-9a-f]+:[ \t]*/, ""); print name ": " $0 }
    }
    END { if (!seen) print "no instruction at all" }'
}

mapfile -t objects < <(find "$@" -path '*tally_kernels.dir/*.o' | sort)
[ ${#objects[@]} -gt 0 ] || { echo "$0: no object of core/kernels under $*" >&2; exit 1; }
sample=$(mktemp --suffix=.o)
trap 'rm -f "$sample"' EXIT
for kind in $(for object in "${objects[@]}"; do machine "$object"; done | sort -u); do
  flags=
  [ "$kind" != arm ] || flags='-march=armv7-a -mfpu=neon -mfloat-abi=softfp'
  # shellcheck disable=SC2086
  "$(tool "$kind" g++)" $flags -O2 -c "$here/fixtures/float_arithmetic.cc" -o "$sample"
  [ "$(floats "$sample" | wc -l)" -ge 4 ] || { echo "$0: did not see the sample's arithmetic on $kind" >&2; exit 1; }
done

bad=0
for object in "${objects[@]}"; do
  found=$(floats "$object")
  [ -z "$found" ] || { bad=1; printf '%s:\n%s\n' "$object" "$found" >&2; }
done
[ $bad = 0 ] || { echo "$0: floating-point instructions in the units above" >&2; exit 1; }
echo "${#objects[@]} units of core/kernels contain no floating-point instruction"
