#!/usr/bin/python3
"""Promise P1: no floating-point type, value or expression in the syntax trees of our files.

  check-float-types.py BUILD_FOLDER [PART...]     a build with compile_commands.json and generated sources

Asks clang-query about every unit of core, proto, daemon and client (or of the folders PART), and the headers of ours
that they include.
It alone sees constants that the compiler folds, plain copies and unused inline functions. First proves that
it finds every line of fixtures/float_folded.cc that has floating point. An answer is kept under
BUILD_FOLDER/float-types for as long as the unit's own sources, their flags and this check stay the same.
"""

import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
OURS = f"^{re.escape(ROOT)}/(core|daemon|client|proto)/"
FOUND = re.compile(r'^(\S+?):(\d+):\d+: note: "(float-[a-z]+)" binds here', re.M)


def ask(query, build, source, arguments=()):
    """{(file, line): kind}, or the words of a failure."""
    # The flags are GCC's: clang need not know all its warnings.
    run = subprocess.run(["clang-query", "--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-w",
                          "-f", query, "-p", build, source, *arguments],
                         capture_output=True, text=True)
    words = run.stdout + run.stderr
    errors = [line for line in words.splitlines() if ": error: " in line or ": fatal error: " in line]
    if errors or len(re.findall(r"^\d+ match(?:es)?\.", words, re.M)) != 3:
        return None, "\n".join(errors) or words
    return {(path, int(line)): kind for path, line, kind in FOUND.findall(words)}, ""


def write_query(folder, name, pattern):
    with open(os.path.join(HERE, "float-types.clang-query"), encoding="utf-8") as template:
        text = template.read().replace("OUR_FILES", pattern.replace("\\", "\\\\"))
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def self_test(folder, build):
    sample = os.path.join(HERE, "fixtures", "float_folded.cc")
    query = write_query(folder, "sample.clang-query", "/fixtures/float_folded")
    found, words = ask(query, build, sample, ["--", "-std=c++20"])
    with open(sample, encoding="utf-8") as source:
        wanted = {number for number, line in enumerate(source, 1)
                  if re.search(r"\b(float|double)\b|\d\.\d", line)}
    if found is None or {line for _, line in found} != wanted:
        sys.exit(f"{sys.argv[0]}: {sample} has floating point in lines {sorted(wanted)}, found "
                 f"{sorted(line for _, line in found) if found is not None else words}")


INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def our_sources(source, generated, seen):
    """`source` and the files of ours that it includes, directly or not."""
    if source in seen or not os.path.isfile(source):
        return
    seen[source] = None
    with open(source, encoding="utf-8") as text:
        for name in INCLUDE.findall(text.read()):
            for base in (ROOT, os.path.join(ROOT, "client/lib/include"), generated):
                our_sources(os.path.join(base, name), generated, seen)


def fingerprint(entry, source, generated, query):
    seen = {}
    our_sources(source, generated, seen)
    digest = hashlib.sha256(entry["command"].encode())
    for path in [query, os.path.abspath(__file__), *sorted(seen)]:
        with open(path, "rb") as content:
            digest.update(path.encode() + b"\0" + content.read() + b"\0")
    return digest.hexdigest()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = os.path.abspath(sys.argv[1])
    parts = tuple(os.path.join(ROOT, part, "") for part in sys.argv[2:] or ("core", "proto", "daemon", "client"))
    folder = os.path.join(build, "float-types")
    os.makedirs(folder, exist_ok=True)
    self_test(folder, build)
    query = write_query(folder, "ours.clang-query", OURS)
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as commands:
        entries = {os.path.join(e["directory"], e["file"]): e for e in json.load(commands)}
    units = sorted(path for path in entries if re.match(OURS, path) and path.startswith(parts))
    if not units:
        sys.exit(f"{sys.argv[0]}: no unit of ours in {build}")
    generated = os.path.join(build, "proto", "generated")

    def check(path):
        stamp = os.path.join(folder, fingerprint(entries[path], path, generated, query))
        if os.path.exists(stamp):
            return path, {}, ""
        found, words = ask(query, build, path)
        if found == {}:
            with open(stamp, "w", encoding="utf-8"):
                pass
        return path, found, words

    bad = set()
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", os.cpu_count()))) as pool:
        for path, found, words in pool.map(check, units):
            if found is None:
                sys.exit(f"{sys.argv[0]}: {path}: {words}")
            bad |= {f"{os.path.relpath(file, ROOT)}:{line}: {kind}" for (file, line), kind in found.items()}
    if bad:
        sys.exit("\n".join(sorted(bad)))
    print(f"{len(units)} units and their headers of ours contain no floating-point type")


if __name__ == "__main__":
    main()
