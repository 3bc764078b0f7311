"""Checks of the source tree that need no compiler.

  stair      includes go down only: daemon, client -> core, proto; inside core in the order of the stair
  float      no floating-point type or literal in core, proto, daemon and client
  readme     every folder has a README.md
  size       files of the product are at most 500 lines
  top        the top level is fixed
  private    no absolute path of a developer's machine

Usage: check_sources.py ROOT | --self-test        exit 0: clean, 1: findings (one a line)
"""

import os
import re
import subprocess
import sys
import tempfile

PRODUCT = ("core", "proto", "daemon", "client")
TOP = {"core", "proto", "daemon", "client", "deploy", "tests", "CMakeLists.txt", "CMakePresets.json",
       "README.md", "LICENSE", "CHANGELOG.md"}
LINES_MAX = 500

# Each folder may include itself and the folders after its colon.
CORE_STAIR = ["arithmetic", "tensor", "parallel", "kernels", "text", "learner", "algorithms", "checkpoint"]
STAIR = {"core/algorithms": {"core/" + f for f in CORE_STAIR[:6]},
         "core/checkpoint": {"core/" + f for f in CORE_STAIR[:6]}}
for index, folder in enumerate(CORE_STAIR[:6]):
    STAIR["core/" + folder] = {"core/" + f for f in CORE_STAIR[:index]}
DAEMON_STAIR = {
    "daemon/platform": set(),
    "daemon/storage": {"daemon/platform"},
    "daemon/config": {"daemon/hosting", "daemon/storage"},
    "daemon/hosting": {"daemon/storage", "daemon/platform"},
    "daemon/rpc": {"daemon/hosting", "daemon/storage", "daemon/platform", "daemon/config"},
}
CLIENT_STAIR = {
    "client/datasets": set(),
    "client/training": {"client/datasets"},
    "client/lib": set(),
    "client/cli": {"client/lib", "client/datasets", "client/training"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
FLOAT = re.compile(r"\b(float|double)\b|\b\d+\.\d+f?\b|\b\d+e[-+]?\d+\b")


def folder_of(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def allowed(includer, included):
    """Whether a file in folder `includer` may include one in folder `included`."""
    if includer == included:
        return True
    top, target = includer.split("/")[0], included.split("/")[0]
    if top == "core":
        return included in STAIR.get(includer, set())
    if target == "core" and top in ("daemon", "client"):
        return True
    if top == "daemon" and target == "daemon":
        return includer == "daemon" or included in DAEMON_STAIR.get(includer, set())
    if top == "client" and target == "client":
        return includer == "client" or included in CLIENT_STAIR.get(includer, set())
    return False


def strip_comments_and_strings(text):
    """Code only; line breaks are kept."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"\((?:.*?)\)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.S)
    return pattern.sub(lambda m: "\n" * m.group(0).count("\n"), text)


def check_stair(path, text):
    includer = folder_of(path)
    for included in INCLUDE.findall(text):
        if included.split("/")[0] in PRODUCT and included.count("/") >= 1:
            if not allowed(includer, folder_of(included)):
                yield f"{path}: stair: {includer} must not include {included}"


def check_float(path, text):
    code = strip_comments_and_strings(text)
    for number, line in enumerate(code.split("\n"), 1):
        if re.match(r"\s*(syntax|import|#\s*include)\b", line):
            continue
        match = FLOAT.search(line)
        if match:
            yield f"{path}:{number}: float: '{match.group(0)}' in {line.strip()[:80]}"


def check_file(path, text):
    top = path.split("/")[0]
    if top in PRODUCT and path.endswith((".h", ".cc", ".proto")):
        yield from check_float(path, text)
        lines = text.count("\n")
        if lines > LINES_MAX:
            yield f"{path}: size: {lines} lines, at most {LINES_MAX}"
    if top in PRODUCT and path.endswith((".h", ".cc")):
        yield from check_stair(path, text)
    private = re.search(r"/(?:work|root|home/\w+|tmp/tally)/\w", text)
    if private and not path.endswith("check_sources.py"):
        yield f"{path}: private: '{private.group(0)}...' is a path of one machine"


def check_tree(root, files):
    for path in sorted(files):
        try:
            with open(os.path.join(root, path), encoding="utf-8") as source:
                text = source.read()
        except UnicodeDecodeError:
            continue
        yield from check_file(path, text)
    tops = {path.split("/")[0] for path in files}
    for top in sorted(tops - TOP):
        if not top.startswith("."):
            yield f"{top}: top: not part of the fixed top level"
    folders = {os.path.dirname(path) for path in files if "/" in path}
    for folder in sorted(folders):
        if folder.split("/")[0].startswith(".") or "/fixtures" in folder:
            continue
        if not os.path.exists(os.path.join(root, folder, "README.md")):
            yield f"{folder}: readme: no README.md"


def self_test():
    bad = {
        "core/kernels/a.cc": ('#include "core/learner/learner.h"\n', "stair"),
        "core/tensor/b.cc": ("int x = 1.5f;\n", "float"),
        "daemon/rpc/c.cc": ("double ratio;\n", "float"),
        "client/cli/d.h": ('#include "daemon/storage/journal.h"\n', "stair"),
        "core/text/e.cc": ("\n" * 501, "size"),
        "docs/f.md": ("text\n", "top"),
        "core/learner/g.h": ("// see /home/someone/notes\n", "private"),
    }
    good = {
        "core/learner/h.h": '#include "core/text/value.h"\n// a float in a comment, "1.5"\n',
        "daemon/hosting/i.cc": '#include "core/learner/learner.h"\nconst char* s = "1.5 double";\n',
    }
    with tempfile.TemporaryDirectory() as root:
        for path, (text, kind) in bad.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as sample:
                sample.write(text)
            findings = list(check_tree(root, [path]))
            assert any(f" {kind}: " in f for f in findings), (path, kind, findings)
            assert any(" readme: " in f for f in findings), (path, findings)
    for path, text in good.items():
        assert not list(check_file(path, text)), (path, list(check_file(path, text)))
    print(f"check_sources: self-test: {len(bad)} broken samples found, {len(good)} clean ones passed")


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    root = sys.argv[1]
    listing = subprocess.run(["git", "-C", root, "ls-files", "-z"], check=True, capture_output=True)
    files = [name for name in listing.stdout.decode().split("\0") if name]
    findings = list(check_tree(root, files))
    print("\n".join(findings) if findings else f"check_sources: {len(files)} files, no finding")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
