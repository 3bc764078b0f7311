#!/usr/bin/env bash
# Cross-builds the integer engine for a board, or tests of it.
#
#   deploy/cross/build.sh armel|armhf|arm64 [TEST...]
#
# Leaves the sysroot in build/cross/ARCH/sysroot, the objects in build/cross/ARCH/objects, and test programs, if any
# are named, in build/cross/ARCH/tests/bin.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
arch=${1:-}
case $arch in
  armel | armhf | arm64) shift ;;
  *) echo "usage: $0 armel|armhf|arm64 [TEST...]" >&2; exit 64 ;;
esac
out=$root/build/cross/$arch

"$root/deploy/install-deps.sh" build cross
[ "$arch" = armel ] && [ $# = 0 ] || "$root/deploy/install-deps.sh" boards
mkdir -p "$out"
# The stamp names the recipe, so that a changed package list makes a new sysroot.
recipe=$(sha256sum "$root/deploy/cross/mksysroot.sh" | cut -c1-16)
if [ "$(cat "$out/sysroot.recipe" 2>/dev/null)" != "$recipe" ]; then
  "$root/deploy/cross/mksysroot.sh" "$arch" "$out/sysroot"
  echo "$recipe" >"$out/sysroot.recipe"
fi
# configure FOLDER WITH_TESTS
configure() {
  cmake -S "$root" -B "$out/$1" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O2 \
    -DCMAKE_TOOLCHAIN_FILE="$root/deploy/cross/$arch.cmake" -DSYSROOT="$out/sysroot" \
    -DTALLY_BUILD_DAEMON=OFF -DTALLY_BUILD_CLIENT=OFF -DTALLY_BUILD_BENCHMARKS=OFF \
    -DTALLY_BUILD_TESTS="$2" >"$out/configure.log" || { cat "$out/configure.log" >&2; exit 1; }
}
if [ $# = 0 ]; then
  configure objects OFF
  cmake --build "$out/objects"
else
  configure tests ON
  cmake --build "$out/tests" --target "$@"
fi
