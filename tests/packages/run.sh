#!/usr/bin/env bash
# Goal: the Debian packages install, upgrade, remove and purge cleanly, and nothing learnt is lost on the way.
# Method: in a fresh minimal Debian without a running init. A model learns, the daemon is killed, and the digest of the
# model has to survive every step but the purge that was told to delete it.
#
#   tests/packages/run.sh ARCH [FOLDER]      FOLDER with the packages: build/cross/ARCH/packages, or Docker's output
#
# Needs root; for another machine's ARCH also binfmt_misc with qemu-user-static.
set -euo pipefail
arch=${1:?usage: tests/packages/run.sh ARCH [FOLDER]}
packages=$(realpath "${2:-$(dirname "$0")/../../build/cross/$arch/packages}")
cd "$(dirname "$0")/../.."
ls "$packages"/tallyd_*.deb >/dev/null || { echo "run deploy/cross/build.sh $arch first" >&2; exit 66; }
deploy/install-deps.sh cross

work=$(mktemp -d)
machine=$work/machine
daemon=
cleanup() {
  [ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null || true
  rm -rf --one-file-system "$work"
}
trap cleanup EXIT

fail() { echo "packages: FAILED: $*" >&2; exit 1; }
inside() { chroot "$machine" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
  DEBIAN_FRONTEND=noninteractive "$@"; }
absent() { local path; for path; do [ ! -e "$machine$path" ] && [ ! -L "$machine$path" ] || fail "$path is still there"; done; }
present() { local path; for path; do [ -e "$machine$path" ] || fail "$path is missing"; done; }

# start: the daemon as it is installed, without systemd; waits until it answers.
start() {
  mkdir -p "$machine/run/tally"
  chroot "$machine" /usr/sbin/tallyd >"$work/log" 2>&1 &
  daemon=$!
  for _ in $(seq 300); do
    if inside tally status >/dev/null 2>&1; then return 0; fi
    kill -0 "$daemon" 2>/dev/null || break
    sleep 0.2
  done
  cat "$work/log" >&2
  fail "the installed daemon does not come up"
}
stop() { kill "-$1" "$daemon"; wait "$daemon" 2>/dev/null || true; daemon=; }
digest() { inside tally digest digits --wait 60 | cut -d" " -f1; }
step() { echo "packages: $arch: $*"; }

step "a minimal Debian"
sources=()
for file in ${TALLY_APT_SOURCES:-/etc/apt/sources.list.d/*.sources /etc/apt/sources.list}; do
  [ ! -s "$file" ] || sources+=("$file")
done
mmdebstrap --quiet --variant=minbase --architectures="$arch" --include=debconf \
  --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --skip=cleanup/apt \
  --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Languages "none"' \
  --aptopt='APT::Install-Recommends "false"' bookworm "$machine" "${sources[@]}" >"$work/log" 2>&1 ||
  { cat "$work/log" >&2; fail "could not make it"; }
printf '#!/bin/sh\nexit 101\n' >"$machine/usr/sbin/policy-rc.d"
chmod +x "$machine/usr/sbin/policy-rc.d"
cp /etc/resolv.conf "$machine/etc/resolv.conf"
mkdir "$machine/packages"
cp "$packages"/{tallyd,tally,libtally-dev}_*.deb "$machine/packages"

step "install"
inside apt-get update -qq
inside sh -c 'apt-get install -y -qq --no-install-recommends /packages/tallyd_*.deb /packages/tally_*.deb' >"$work/log" 2>&1 ||
  { cat "$work/log" >&2; fail "install"; }
present /usr/sbin/tallyd /usr/bin/tally /etc/tally/tallyd.yaml /usr/share/man/man8/tallyd.8.gz \
  /usr/share/man/man1/tally.1.gz /usr/share/man/man5/tallyd.yaml.5.gz /usr/share/bash-completion/completions/tally
[ "$(inside tallyd --check-config)" = OK ] || fail "the configuration of the package is refused"
inside dpkg-query -W -f '${Conffiles}' tallyd | grep -q /etc/tally/tallyd.yaml || fail "tallyd.yaml is no conffile"
inside apt-get install -y -qq --no-install-recommends bash-completion >"$work/log" 2>&1 ||
  { cat "$work/log" >&2; fail "bash-completion"; }
# shellcheck disable=SC2016  # for the shell inside
completed=$(inside bash -c '. /usr/share/bash-completion/bash_completion
  . /usr/share/bash-completion/completions/tally
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" && COMP_POINT=${#COMP_LINE} && _tally
  echo "${COMPREPLY[*]}"' bash tally check)
[ "$completed" = "checkpoint checkpoints" ] || fail "\"tally check\" is completed to: $completed"
if [ -e deploy/systemd/tallyd.service ]; then
  present /lib/systemd/system/tallyd.service
  [ -L "$machine/etc/systemd/system/multi-user.target.wants/tallyd.service" ] || fail "the service is not enabled"
  grep -q '^tally:' "$machine/etc/group" || fail "there is no group tally"
fi
inside sh -c 'apt-get install -s -qq --no-install-recommends /packages/libtally-dev_*.deb' >"$work/log" 2>&1 ||
  { cat "$work/log" >&2; fail "libtally-dev cannot be installed"; }

step "learn, and be killed"
start
inside tally synth --out /tmp/digits --train 1000 --test 100 --seed 1 >/dev/null
inside tally create digits --zoo pocketnn/mnist-mlp >/dev/null
inside tally train digits --data /tmp/digits --epochs 1 >/dev/null
learnt=$(digest)
[ ${#learnt} = 64 ] || fail "no digest: '$learnt'"
stop KILL

step "upgrade: a changed configuration and the model stay"
echo "# a local change" >>"$machine/etc/tally/tallyd.yaml"
dpkg-deb -R "$packages"/tallyd_*.deb "$work/next"
sed -i 's/^Version: .*/&+next1/' "$work/next/DEBIAN/control"
dpkg-deb --root-owner-group -b "$work/next" "$machine/packages/next.deb" >/dev/null
inside dpkg -i /packages/next.deb >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "upgrade"; }
inside dpkg-query -W -f '${Version}' tallyd | grep -q '+next1$' || fail "not upgraded"
grep -q '# a local change' "$machine/etc/tally/tallyd.yaml" || fail "the changed configuration was lost"
start
[ "$(digest)" = "$learnt" ] || fail "the model changed"
stop TERM

step "remove: configuration and model stay"
inside apt-get remove -y -qq tallyd >/dev/null 2>&1 || fail "remove"
absent /usr/sbin/tallyd /lib/systemd/system/tallyd.service
present /etc/tally/tallyd.yaml /var/lib/tally/models/digits

step "purge without an answer: the model stays"
inside apt-get purge -y -qq tallyd >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "purge"; }
absent /etc/tally
present /var/lib/tally/models/digits
inside apt-get install -y -qq --no-install-recommends /packages/next.deb >"$work/log" 2>&1 ||
  { cat "$work/log" >&2; fail "install anew"; }
start
[ "$(digest)" = "$learnt" ] || fail "the model changed"
stop TERM

step "purge with leave to delete: nothing stays"
# As systemd's DynamicUser= leaves it.
mkdir -m 700 -p "$machine/var/lib/private"
mv "$machine/var/lib/tally" "$machine/var/lib/private/tally"
ln -s private/tally "$machine/var/lib/tally"
echo 'tallyd tallyd/purge-models boolean true' | inside debconf-set-selections
inside apt-get purge -y -qq tallyd >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "purge"; }
absent /etc/tally /var/lib/tally /var/lib/private/tally /var/lib/systemd/deb-systemd-helper-enabled/tallyd.service.dsh-also
[ -z "$(inside debconf-show tallyd)" ] || fail "debconf still knows the question"
# (Groups stay, as is Debian's custom: files may belong to them.)
leftover=$(find "$machine"/{etc,usr,lib,var/lib} -xdev -name '*tallyd*' -not -path '*/dpkg/*' -not -path '*/apt/*' | head)
[ -z "$leftover" ] || fail "left behind: $leftover"
step "passed; digest $learnt"
