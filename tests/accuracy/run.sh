#!/usr/bin/env bash
# run.sh TABLE [options]: trains the rows of one table with `tally fit`; started again, it goes on where it stopped.
# run.sh --help lists tables and options. Needs a built `tally` (TALLY=PATH, or build/release or build/dev) and
# TALLY_DATA_DIR.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
for candidate in "${TALLY:-}" "$root/build/release/bin/tally" "$root/build/dev/bin/tally"; do
  if [ -n "$candidate" ] && [ -x "$candidate" ]; then
    exec /usr/bin/python3 -B "$here/run_table.py" --tally "$candidate" "$@"
  fi
done
echo "run.sh: no tally found; build it (cmake --build build/dev --target tally) or set TALLY" >&2
exit 69
