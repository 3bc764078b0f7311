#!/usr/bin/env bash
# Installs the Debian 12 packages that a job needs. The one place where packages are named.
#
#   deploy/install-deps.sh GROUP...          groups: build test cross boards board target proof counting packages peers
#   deploy/install-deps.sh --list GROUP...   only names them
#
# Needs root (or sudo) only when something is missing.
set -euo pipefail

# What tallyd, tally and the libraries are linked with.
libraries="libgrpc++-dev libprotobuf-dev libabsl-dev libyaml-cpp-dev libboost1.81-dev libssl-dev libxxhash-dev
  libsystemd-dev libcli11-dev zlib1g-dev liblzma-dev"

declare -A groups=(
  # What compiles tallyd, tally and the libraries.
  [build]="g++ cmake ninja-build ccache pkg-config protobuf-compiler protobuf-compiler-grpc $libraries"
  # What the tests and benchmark programs need on top.
  [test]="libgtest-dev libgmock-dev libbenchmark-dev python3 python3-grpcio python3-protobuf
    binutils git systemd"
  # The soft-float cross-build.
  [cross]="g++-arm-linux-gnueabi binutils-arm-linux-gnueabi mmdebstrap arch-test"
  # Cross-builds for the other boards, and the emulator that runs their tests.
  [boards]="g++-arm-linux-gnueabihf g++-aarch64-linux-gnu qemu-user-static"
  # What a sysroot is unpacked from (deploy/cross/mksysroot.sh); never installed here.
  [target]="libc6-dev libstdc++-12-dev $libraries libgtest-dev libgmock-dev"
  # The emulator that counts instructions (the static one has no plug-ins).
  [counting]="g++ qemu-user"
  # What makes the Debian packages.
  [packages]="debhelper po-debconf lintian"
  # The emulated board of tests/board.
  [board]="qemu-system-arm qemu-user-static mmdebstrap arch-test e2fsprogs cpio kmod"
  # The search for floating-point types in the sources, and the checks of the systemd units.
  [proof]="clang-tools binutils binutils-arm-linux-gnueabihf g++-aarch64-linux-gnu"
  # What Tally is measured against; large, and only tests/bench/peers.sh wants it.
  [peers]="libopenblas-dev libtorch-dev libdnnl-dev"
)

list=no
if [ "${1:-}" = --list ]; then list=yes; shift; fi
[ $# -gt 0 ] || { echo "usage: $0 [--list] GROUP...   groups: ${!groups[*]}" >&2; exit 64; }
wanted=()
for group in "$@"; do
  [ -n "${groups[$group]:-}" ] || { echo "$0: unknown group '$group'; known: ${!groups[*]}" >&2; exit 64; }
  read -r -d '' -a packages <<<"${groups[$group]}" || true
  wanted+=("${packages[@]}")
done

if [ "$list" = yes ]; then printf '%s\n' "${wanted[@]}"; exit 0; fi

missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

run() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
export DEBIAN_FRONTEND=noninteractive
echo "installing: ${missing[*]}"
run apt-get -o DPkg::Lock::Timeout=600 update -qq
run apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
