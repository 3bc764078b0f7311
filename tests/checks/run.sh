#!/usr/bin/env bash
# The rules of the house that a program can check. Each check first shows, on a sample made to break it, that
# it can fail.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"
/usr/bin/python3 "$here/check_sources.py" --self-test
/usr/bin/python3 "$here/check_sources.py" "$root"
/usr/bin/python3 "$here/check_pages.py" --self-test
# The example configurations and the manual pages, with the programs if they are built.
for program in "$root"/build/{dev,release}/bin/tallyd; do
  [ -x "$program" ] && [ -x "${program%d}" ] || continue
  /usr/bin/python3 "$here/check_pages.py" "$root" "$(dirname "$program")"
  for example in "$root"/deploy/{examples,debian}/*.yaml; do
    "$program" --check-config --config "$example" >/dev/null
    echo "checked $(basename "$example")"
  done
  break
done
