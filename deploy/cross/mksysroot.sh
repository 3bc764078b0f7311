#!/usr/bin/env bash
# Makes a cross sysroot from unpacked Debian packages of the target port.
#
#   deploy/cross/mksysroot.sh armel|armhf|arm64|amd64 DIRECTORY
#
# Takes the package sources of this machine, or the file that $TALLY_APT_SOURCES names, for a mirror that does not
# have all suites for the port.
#
# No maintainer script runs, no emulator is needed, and the host's package state is not touched. Debian's
# gRPC packages are not co-installable for several architectures, which rules multiarch out.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
arch=$1 destination=$2
packages=$("$here/../install-deps.sh" --list target | paste -sd,)

sources=()
for file in ${TALLY_APT_SOURCES:-/etc/apt/sources.list.d/*.sources /etc/apt/sources.list}; do
  [ -s "$file" ] && sources+=("$file")
done
[ ${#sources[@]} -gt 0 ] || { echo "$0: no package sources in ${TALLY_APT_SOURCES:-/etc/apt}" >&2; exit 66; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# unpack SOURCES-FILE...
unpack() {
  rm -rf "$destination.part"
  mmdebstrap --quiet --mode=auto --variant=extract --architectures="$arch" \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --extract-hook="$here/record-packages.sh \"\$1\" $arch" \
    --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
    --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include="$packages" bookworm "$destination.part" "$@" >"$work/log" 2>&1
}

# Some mirrors serve a security suite for armhf whose index does not match its Release file. We link against what
# is in the sysroot and ship none of it, so that the older packages of the main suite do as well.
if ! unpack "${sources[@]}"; then
  cp "$work/log" "$work/first-log"
  echo "$0: could not unpack from all suites; trying without the security suite" >&2
  reduced=()
  for file in "${sources[@]}"; do
    reduced+=("$work/${#reduced[@]}.${file##*.}")
    case $file in
      *.list) grep -v -e '-security' "$file" >"${reduced[-1]}" || true ;;
      *) awk 'BEGIN { RS = ""; ORS = "\n\n" } !/-security/' "$file" >"${reduced[-1]}" ;;
    esac
  done
  unpack "${reduced[@]}" || { cat "$work/first-log" "$work/log" >&2; exit 1; }
fi

# The compiler does not re-root absolute links, so every one of them is made relative.
find "$destination.part" -xdev -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
  target=$(readlink "$link")
  [ -e "$destination.part$target" ] || continue
  ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" "$destination.part$target")" "$link"
done
# gRPC's CMake package insists that its code generators exist beside it; these run on the build machine.
for tool in protoc grpc_cpp_plugin grpc_csharp_plugin grpc_node_plugin grpc_objective_c_plugin grpc_php_plugin \
  grpc_python_plugin grpc_ruby_plugin; do
  ln -sfn "/usr/bin/$tool" "$destination.part/usr/bin/$tool"
done
rm -rf "$destination"
mv "$destination.part" "$destination"
