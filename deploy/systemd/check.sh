#!/usr/bin/env bash
# systemd itself finds no fault in the units, and rates the service's exposure 1.0 of 10 or better. Looks at the
# shipped files, in a staged tree, since the unit names programs that need not be installed here. Then proves that each of
# the two checks can fail.
#
#   deploy/systemd/check.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
units=$stage/usr/lib/systemd/system

mkdir -p "$units" "$stage/usr/sbin" "$stage/usr/bin"
ln -s usr/lib "$stage/lib"
ln -s usr/bin "$stage/bin"
# The targets and slices that the units refer to.
cp /lib/systemd/system/*.target /lib/systemd/system/*.slice "$units"
for program in usr/sbin/tallyd usr/bin/kill; do
  printf '#!/bin/sh\n' >"$stage/$program"
  chmod +x "$stage/$program"
done
install -m 644 "$here/tallyd.service" "$here/tallyd.socket" "$units"

# verify UNIT: unknown keys only warn, so that any word is a failure. Manual pages are not in the stage.
verify() { systemd-analyze verify --man=no --root="$stage" "$units/$1" 2>&1; }
# rate UNIT: fails above 1.0.
rate() { systemd-analyze security --offline=true --threshold=10 --no-pager "$1"; }

for unit in tallyd.service tallyd.socket; do
  words=$(verify "$unit") || { echo "check: $unit: $words" >&2; exit 1; }
  [ -z "$words" ] || { echo "check: systemd-analyze verify $unit says: $words" >&2; exit 1; }
done
rating=$(rate "$here/tallyd.service") || { echo "$rating" >&2; echo "check: exposure above 1.0" >&2; exit 1; }

sed 's/^WatchdogSec=/WatchDogSec=/' "$here/tallyd.service" >"$units/mistyped.service"
[ -n "$(verify mistyped.service)" ] || { echo "check: a mistyped key was not seen" >&2; exit 1; }
sed '/^IPAddressDeny=/d; /^SystemCallFilter=/d' "$here/tallyd.service" >"$stage/open.service"
! rate "$stage/open.service" >/dev/null || { echo "check: an open sandbox was not seen" >&2; exit 1; }

echo "tallyd.service, tallyd.socket: nothing to complain about; $(tail -1 <<<"$rating" | sed 's/^[^A-Za-z]*//')"
