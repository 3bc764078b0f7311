#!/usr/bin/env bash
# The units of core/kernels/isa are compiled for CPUs that not every user has. A weak function in one of them, from
# an inline function or a template, could be the copy that the linker gives to the whole program. (Weak constants
# are the same bytes in every unit.)
#
#   isa_symbols.sh NM SAMPLE OBJECT...     SAMPLE has a weak function, which must be found; of OBJECT... those in
#                                          isa/ must have none
set -euo pipefail
nm=$1 sample=$2
shift 2

# weak OBJECT...: prints the weak functions that the objects define.
weak() { "$nm" -A -P --defined-only "$@" | awk '$3 ~ /^[wW]$/ { print $1, $2 }' | c++filt; }

[ -n "$(weak "$sample")" ] || { echo "$0: did not see the weak function in $sample" >&2; exit 1; }
units=()
for object in "$@"; do
  [[ $object != */isa/* ]] || units+=("$object")
done
[ ${#units[@]} -gt 0 ] || { echo "$0: no object of isa/ among $# objects" >&2; exit 1; }
found=$(weak "${units[@]}")
[ -z "$found" ] || { printf '%s: weak functions:\n%s\n' "$0" "$found" >&2; exit 1; }
echo "${#units[@]} units of isa/ define no weak function"
