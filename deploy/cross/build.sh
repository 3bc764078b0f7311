#!/usr/bin/env bash
# Cross-builds Tally for a board, and makes its Debian packages.
#
#   deploy/cross/build.sh armel|armhf|arm64|amd64 [TARGET...]
#
# Leaves the sysroot in build/cross/ARCH/sysroot, the objects in build/cross/ARCH/objects, the programs in its bin/ and
# the packages in build/cross/ARCH/packages. With targets (CMake's: core/all, tallyd, core_kernels_test ...) only these
# are built, and no packages. JOBS sets the number of parallel jobs.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/deploy/cross
arch=${1:-}
case $arch in
  armel) triplet=arm-linux-gnueabi groups="build cross" ;;
  armhf) triplet=arm-linux-gnueabihf groups="build cross boards" ;;
  arm64) triplet=aarch64-linux-gnu groups="build cross boards" ;;
  amd64) triplet=x86_64-linux-gnu groups="build cross" ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac
shift
out=$root/build/cross/$arch

[ $# -gt 0 ] || groups+=" packages"
for target in "$@"; do
  # The emulator names the tests of what is built.
  case $target in *_test) groups+=" boards" ;; esac
done
# shellcheck disable=SC2086  # one word a group
"$root/deploy/install-deps.sh" $groups

mkdir -p "$out"
# The stamp names the recipe, so that a changed package list makes a new sysroot.
recipe=$(cat "$here"/{mksysroot,record-packages}.sh <("$root/deploy/install-deps.sh" --list target) |
  sha256sum | cut -c1-16)
if [ "$(cat "$out/sysroot.recipe" 2>/dev/null)" != "$recipe" ]; then
  "$here/mksysroot.sh" "$arch" "$out/sysroot"
  echo "$recipe" >"$out/sysroot.recipe"
fi

# ccache may name files relative to the build tree, the compiler does absolutely; programs shall not show which. The outcome does
# not depend on where the project lies, so that the map is nothing that cached objects differ by.
export CCACHE_BASEDIR=$root CCACHE_IGNOREOPTIONS="-ffile-prefix-map=*"
# Debian's hardening; line numbers for back-traces, which the packages hold apart.
flags="-O2 -g1 -fstack-protector-strong -D_FORTIFY_SOURCE=2 -Wformat -Werror=format-security"
built=build/cross/$arch
flags+=" -ffile-prefix-map=$root/= -ffile-prefix-map=../../../../= -ffile-prefix-map=../sysroot/=$built/sysroot/"
flags+=" -ffile-prefix-map=proto/generated/=$built/objects/proto/generated/"
cmake -S "$root" -B "$out/objects" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE="$flags" \
  -DCMAKE_EXE_LINKER_FLAGS="-Wl,-z,relro,-z,now,--as-needed" \
  -DCMAKE_TOOLCHAIN_FILE="$here/$arch.cmake" -DSYSROOT="$out/sysroot" \
  -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_LIBDIR="lib/$triplet" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON \
  >"$out/configure.log" 2>&1 || { cat "$out/configure.log" >&2; exit 1; }

jobs=${JOBS:-$(nproc)}
if [ $# -gt 0 ]; then
  cmake --build "$out/objects" -j "$jobs" --target "$@"
  exit
fi
cmake --build "$out/objects" -j "$jobs" --target core/all proto/all daemon/all client/all
"$here/package.sh" "$arch"
