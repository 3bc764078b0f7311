#!/usr/bin/env bash
# Cross-builds the integer engine for a board.
#
#   deploy/cross/build.sh armel
#
# Leaves the sysroot in build/cross/ARCH/sysroot and the objects in build/cross/ARCH/objects.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
arch=${1:-}
[ -f "$root/deploy/cross/$arch.cmake" ] || { echo "usage: $0 armel" >&2; exit 64; }
out=$root/build/cross/$arch

"$root/deploy/install-deps.sh" build cross
mkdir -p "$out"
# The stamp names the recipe, so that a changed package list makes a new sysroot.
recipe=$(sha256sum "$root/deploy/cross/mksysroot.sh" | cut -c1-16)
if [ "$(cat "$out/sysroot.recipe" 2>/dev/null)" != "$recipe" ]; then
  "$root/deploy/cross/mksysroot.sh" "$arch" "$out/sysroot"
  echo "$recipe" >"$out/sysroot.recipe"
fi
cmake -S "$root" -B "$out/objects" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O2 \
  -DCMAKE_TOOLCHAIN_FILE="$root/deploy/cross/$arch.cmake" -DSYSROOT="$out/sysroot" \
  -DTALLY_BUILD_DAEMON=OFF -DTALLY_BUILD_CLIENT=OFF -DTALLY_BUILD_TESTS=OFF >"$out/configure.log" ||
  { cat "$out/configure.log" >&2; exit 1; }
cmake --build "$out/objects"
