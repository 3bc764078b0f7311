#!/usr/bin/env bash
# Called by mksysroot.sh between download and unpacking: writes down in the sysroot which package has which file and
# which symbols, as dpkg would have done had it installed them. dpkg-shlibdeps computes Depends from this.
#
#   deploy/cross/record-packages.sh SYSROOT ARCH
set -euo pipefail
sysroot=$1 arch=$2
database=$sysroot/var/lib/dpkg
mkdir -p "$database/info" "$database/updates"
printf '%s\n' "$(dpkg --print-architecture)" "$arch" | sort -u >"$database/arch"
: >"$database/available"
: >"$database/status"

for deb in "$sysroot"/var/cache/apt/archives/*.deb; do
  control=$(mktemp -d)
  dpkg-deb --control "$deb" "$control"
  name=$(sed -n 's/^Package: //p' "$control/control")
  # dpkg keeps the files of co-installable packages under NAME:ARCH.
  stem=$name
  grep -qx 'Multi-Arch: same' "$control/control" && stem=$name:$arch
  { sed '/^Package:/a Status: install ok installed' "$control/control"; echo; } >>"$database/status"
  for file in symbols shlibs; do
    [ ! -e "$control/$file" ] || cp "$control/$file" "$database/info/$stem.$file"
  done
  dpkg-deb --fsys-tarfile "$deb" | tar -t | sed 's,^\./,/,; s,\(.\)/$,\1,' >"$database/info/$stem.list"
  rm -rf "$control"
done
