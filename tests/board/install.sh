#!/usr/bin/env bash
# Installs Tally and the test's own files in a copy of a board's root tree and makes a disk of it.
#
#   tests/board/install.sh arm64|armhf IMAGE_FOLDER DISK
#
# Takes the Debian package of deploy/cross/build.sh.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/tests/board/image
arch=$1 image=$2 disk=$3
built=$root/build/cross/$arch

tree=$(mktemp -d "$image/tree.XXXXXX")
trap 'rm -rf "$tree"' EXIT
cp -a --reflink=auto "$image/root/." "$tree"
deb=("$built"/packages/tallyd_*_"$arch".deb)
[ -e "${deb[0]}" ] || { echo "$0: no package in $built/packages; deploy/cross/build.sh $arch makes it" >&2; exit 66; }
cp "${deb[0]}" "$tree/tallyd.deb"
DEBIAN_FRONTEND=noninteractive chroot "$tree" dpkg -i /tallyd.deb
rm "$tree/tallyd.deb"
# Models that the shipped configuration may have as an example would be in the memory figures.
sed -i '/^models:/,$d' "$tree/etc/tally/tallyd.yaml"

put() { install -D -m 644 "$here/$1" "$tree/$2"; }
put tallyd.service.conf etc/systemd/system/tallyd.service.d/board.conf
put tallyd.yaml etc/tally/conf.d/board.yaml
put eth.network etc/systemd/network/eth.network
for unit in board-shell.socket board-shell@.service board-echo.service; do put $unit etc/systemd/system/$unit; done
install -D -m 755 "$built/objects/bin/echo_server" "$tree/usr/lib/tally-test/echo_server"
systemctl --root="$tree" --quiet enable systemd-networkd.service tallyd.service tallyd.socket board-shell.socket

# No first-boot dialogue, no waiting for a time server, a name.
echo 0123456789abcdef0123456789abcdef >"$tree/etc/machine-id"
echo board >"$tree/etc/hostname"
rm -f "$disk"
mke2fs -q -t ext4 -L root -d "$tree" "$disk" 1500M
