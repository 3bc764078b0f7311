#!/usr/bin/python3
"""Promise P1: core and daemon/storage compile without any floating-point or vector register.

  check-general-regs.py BUILD_FOLDER      a configured build with compile_commands.json

Compiles every unit again with -mgeneral-regs-only, under which GCC for x86-64 and aarch64 refuses
floating-point arithmetic, arguments and results. Not for clang (it would call a library silently) nor for
32-bit ARM (GCC refuses its own headers there). The units of core/kernels/isa are left out, and the two others that are
written in vectors of integers: check-simd-units.sh reads their instructions. First proves that the check can fail.
"""

import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
WANTED = re.compile(r"^(core/(?!kernels/(isa/|pooling\.cc|minimal_table\.cc))|daemon/storage/).*\.cc$")


def compile_unit(entry, source, out):
    """Compiler's words about `source` under the flags of `entry`; empty if it compiled."""
    words = shlex.split(entry["command"])
    unit = words.index("-c")
    words = words[:unit] + words[unit + 2:]
    words[words.index("-o") + 1] = out
    # -O1: what is inlined away at -O2 is still seen, and it is cheap. -O3 would come later and win.
    words = [word for word in words if not re.match(r"-O|-g", word)]
    words += ["-O1", "-mgeneral-regs-only", "-c", source]
    run = subprocess.run(words, cwd=entry["directory"], capture_output=True, text=True)
    return "" if run.returncode == 0 else run.stderr or "failed without a word"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build = os.path.abspath(sys.argv[1])
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as commands:
        entries = {os.path.relpath(os.path.join(e["directory"], e["file"]), ROOT): e
                   for e in json.load(commands)}
    units = {path: entry for path, entry in entries.items() if WANTED.match(path)}
    on_disk = [os.path.relpath(os.path.join(folder, name), ROOT)
               for top in ("core", "daemon/storage")
               for folder, _, names in os.walk(os.path.join(ROOT, top)) for name in names]
    has_storage = any(path.startswith("daemon/storage/") for path in units)
    missing = [path for path in on_disk if WANTED.match(path) and path not in units
               and (has_storage or path.startswith("core/"))]
    if missing or not units:
        sys.exit(f"{sys.argv[0]}: {build} does not build: {' '.join(missing) or 'core'}")

    folder = os.path.join(build, "general-regs")
    os.makedirs(folder, exist_ok=True)
    sample = os.path.join(HERE, "fixtures", "float_arithmetic.cc")
    some = next(iter(units.values()))
    words = compile_unit(some, sample, os.path.join(folder, "sample.o"))
    if not re.search(r"SSE|floating-point", words):
        sys.exit(f"{sys.argv[0]}: did not see the floating point in {sample}: {words or 'it compiled'}")

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", os.cpu_count()))) as pool:
        def check(path):
            return path, compile_unit(units[path], os.path.join(ROOT, path),
                                      os.path.join(folder, path.replace("/", "_") + ".o"))
        for path, words in pool.map(check, sorted(units)):
            if words:
                failed += 1
                print(f"{path}:\n{words}", file=sys.stderr)
    if failed:
        sys.exit(f"{sys.argv[0]}: {failed} of {len(units)} units need more than general registers")
    parts = "core and daemon/storage" if has_storage else "core"
    print(f"{len(units)} units of {parts} compile with -mgeneral-regs-only ({build})")


if __name__ == "__main__":
    main()
