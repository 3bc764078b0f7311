#!/usr/bin/env bash
# Makes a cross sysroot from unpacked Debian packages of the target port.
#
#   deploy/cross/mksysroot.sh armel|armhf|arm64 DIRECTORY
#
# Takes the package sources of this machine, or the file that $TALLY_APT_SOURCES names, for a mirror that does not
# have all suites for the port.
#
# No maintainer script runs, no emulator is needed, and the host's package state is not touched. Debian's
# gRPC packages are not co-installable for several architectures, which rules multiarch out.
set -euo pipefail
arch=$1 destination=$2
packages=libc6-dev,libstdc++-12-dev,libabsl-dev,libssl-dev,libyaml-cpp-dev
packages+=,libgtest-dev,libgmock-dev,zlib1g-dev  # the tests

sources=()
for file in ${TALLY_APT_SOURCES:-/etc/apt/sources.list.d/*.sources /etc/apt/sources.list}; do
  [ -s "$file" ] && sources+=("$file")
done
[ ${#sources[@]} -gt 0 ] || { echo "$0: no package sources in ${TALLY_APT_SOURCES:-/etc/apt}" >&2; exit 66; }

rm -rf "$destination.part"
mmdebstrap --quiet --mode=auto --variant=extract --architectures="$arch" \
  --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
  --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
  --aptopt='Acquire::Check-Valid-Until "false"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --include="$packages" bookworm "$destination.part" "${sources[@]}" >/dev/null

# The compiler does not re-root absolute links, so every one of them is made relative.
find "$destination.part" -xdev -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
  target=$(readlink "$link")
  [ -e "$destination.part$target" ] || continue
  ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" "$destination.part$target")" "$link"
done
rm -rf "$destination"
mv "$destination.part" "$destination"
