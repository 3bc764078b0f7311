#!/usr/bin/env bash
# Makes the Debian packages of what build.sh has built, and has lintian look at them.
#
#   deploy/cross/package.sh armel|armhf|arm64|amd64
#
# Called by build.sh. Leaves the packages in build/cross/ARCH/packages; no other file is there afterwards.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
arch=$1
out=$root/build/cross/$arch
sysroot=$out/sysroot
stage=$out/stage/tally
rm -rf "$out/stage" "$out/packages"
mkdir -p "$stage"

version=$(dpkg-parsechangelog -l "$root/deploy/debian/changelog" -S Version)
grep -q "^CMAKE_PROJECT_VERSION:STATIC=$version\$" "$out/objects/CMakeCache.txt" || {
  echo "$0: deploy/debian/changelog is about version $version, CMakeLists.txt about another" >&2
  exit 65
}

# debian/ and what it takes from elsewhere in the sources.
cp -r "$root/deploy/debian" "$stage/debian"
cp -r "$root/deploy/man" "$root/deploy/completion" "$stage/debian"
mkdir "$stage/debian/examples"
cp "$root/client/python/example.py" "$stage/debian/examples"
(cd "$root" && find proto -name '*.proto' -exec cp --parents -t "$stage/debian" {} +)
for unit in tallyd.service tallyd.socket; do
  [ ! -e "$root/deploy/systemd/$unit" ] || cp "$root/deploy/systemd/$unit" "$stage/debian"
done
[ ! -e "$root/deploy/systemd/tally.sysusers" ] ||
  cp "$root/deploy/systemd/tally.sysusers" "$stage/debian/tallyd.sysusers"

# dpkg-shlibdeps looks for libraries in the sysroot, so the database has to name them there.
database=$out/stage/database
cp -r "$sysroot/var/lib/dpkg" "$database"
for list in "$database"/info/*.list; do
  # Most of what is in /lib was moved to /usr/lib.
  sed -e "s,^/lib/,/usr/lib/," -e "s,^/,$sysroot/," -i "$list"
done

export TALLY_OBJECTS=$out/objects TALLY_DATABASE=$database
triplet=$(dpkg-architecture -a "$arch" -q DEB_HOST_MULTIARCH 2>/dev/null)
export TALLY_LIBRARIES="$sysroot/usr/lib/$triplet"
# -d: the build dependencies of the target are in the sysroot.
(cd "$stage" && dpkg-buildpackage --build=any --no-sign -d --host-arch "$arch") >"$out/package.log" 2>&1 ||
  { tail -40 "$out/package.log" >&2; exit 1; }

mkdir "$out/packages"
mv "$out"/stage/*.deb "$out/packages"
lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$out"/packages/*.deb
(cd "$out/packages" && sha256sum -- *.deb)
