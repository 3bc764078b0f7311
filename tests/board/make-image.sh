#!/usr/bin/env bash
# Makes the root file system, kernel and initial RAM disk of an emulated board, from Debian packages only.
#
#   tests/board/make-image.sh arm64|armhf DIRECTORY      leaves DIRECTORY/{root,vmlinuz,initrd}
#
# Needs root: the maintainer scripts of the foreign architecture run under qemu-user through binfmt_misc. The packages
# are those that tallyd needs to run, and a kernel. $TALLY_APT_SOURCES as in deploy/cross/mksysroot.sh.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
arch=${1:-} destination=${2:-}
case $arch in
  arm64) kernel=linux-image-cloud-arm64 format=qemu-aarch64 ;;
  armhf) kernel=linux-image-armmp-lpae format=qemu-arm ;;
  *) echo "usage: $0 arm64|armhf DIRECTORY" >&2; exit 64 ;;
esac
"$root/deploy/install-deps.sh" board

# Lets the kernel of this machine start programs of the board's.
formats=/proc/sys/fs/binfmt_misc
[ -e "$formats/register" ] || mount -t binfmt_misc binfmt_misc "$formats"
[ -e "$formats/$format" ] || grep -v '^#' "/usr/lib/binfmt.d/$format.conf" >"$formats/register"

packages=$kernel,kmod,busybox-static,systemd,systemd-sysv,udev,libnss-systemd
packages+=,libgrpc++1.51,libprotobuf32,libyaml-cpp0.7,libsystemd0,libssl3
sources=()
for file in ${TALLY_APT_SOURCES:-/etc/apt/sources.list.d/*.sources /etc/apt/sources.list}; do
  [ -s "$file" ] && sources+=("$file")
done

tree=$destination/root
rm -rf "$tree.part"
mkdir -p "$destination"
# The kernel's package wants a tool for RAM disks; the one below is made by hand, without minutes of emulation.
mmdebstrap --quiet --mode=root --variant=minbase --architectures="$arch" \
  --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
  --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
  --aptopt='Acquire::Check-Valid-Until "false"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt=force-confold \
  --essential-hook='mkdir -p "$1/etc/initramfs-tools" "$1/etc/kernel/postinst.d"
    echo update_initramfs=no >"$1/etc/initramfs-tools/update-initramfs.conf"
    printf "#!/bin/sh\nexit 0\n" >"$1/etc/kernel/postinst.d/initramfs-tools"
    chmod 755 "$1/etc/kernel/postinst.d/initramfs-tools"' \
  --include="$packages" bookworm "$tree.part" "${sources[@]}"

version=$(basename "$tree.part"/lib/modules/*)
depmod -b "$tree.part" "$version"
cp "$tree.part/boot/vmlinuz-$version" "$destination/vmlinuz"

# The RAM disk loads the drivers of the disk, mounts it and hands over.
disk=$(mktemp -d)
trap 'rm -rf "$disk"' EXIT
mkdir -p "$disk"/{bin,dev,mnt,modules}
cp "$tree.part/bin/busybox" "$disk/bin/busybox"
cp "$root/tests/board/image/init" "$disk/init"
for module in virtio_pci virtio_mmio virtio_blk crc32c_generic ext4; do
  modprobe -d "$tree.part" -S "$version" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
  cp "$file" "$disk/modules/"
  basename "$file" >>"$disk/modules/order"
done
(cd "$disk" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1) >"$destination/initrd"

rm -rf "$tree.part/boot/"vmlinuz-* "$tree.part/var/cache/apt"/*.bin "$tree"
mv "$tree.part" "$tree"
