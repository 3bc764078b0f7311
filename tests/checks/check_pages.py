"""The manual pages name every flag of tallyd, every key of its configuration and every command of tally, and no other.

Usage: check_pages.py ROOT BIN | --self-test      exit 0: they agree, 1: findings (one a line)
"""

import re
import subprocess
import sys


def flags_of_help(text):
    """The long flags that a help text explains, without the dashes."""
    return set(re.findall(r"^  (?:-\w,)?--([a-z-]+)", text, re.M))


def commands_of_help(text):
    """The commands that `tally --help` lists."""
    return set(re.findall(r"^  ([a-z]+) ", text.split("Subcommands:")[1].split("\n\n")[0], re.M))


def keys_of_config(text):
    """The dotted keys of what `tallyd --print-config` prints."""
    keys, section = set(), ""
    for line in text.splitlines():
        match = re.match(r"( *)([a-z_]+):(.*)", line)
        if not match:
            continue
        indent, key, rest = match.groups()
        if not indent:
            section = key + "."
            if rest.strip():
                keys.add(key)
        elif len(indent) == 2:
            keys.add(section + key)
    return keys


def items_of_page(text, macro):
    """What a page's list items start with: .It Fl Fl NAME or .It Ic NAME."""
    return set(re.findall(rf"^\.It {macro} ([a-z_.-]+)", text, re.M))


def compare(page, program, documented):
    for name in sorted(program - documented):
        yield f"{page}: does not explain {name}"
    for name in sorted(documented - program):
        yield f"{page}: explains {name}, which the program does not know"


def self_test():
    assert flags_of_help("  --config FILE  x\n  -h,--help  y\n") == {"config", "help"}
    assert commands_of_help("Subcommands:\n  fit   Train\n  zoo   List\n\nExample:\n  tally fit") == {"fit", "zoo"}
    assert keys_of_config('version: 1\nlisten:\n  tcp: ""  # default\nmodels: []\n') == {
        "version", "listen.tcp", "models"}
    assert items_of_page(".It Fl Fl help\n.It Ic log.level No *\n", "Ic") == {"log.level"}
    assert list(compare("p", {"a", "b"}, {"b", "c"})) == [
        "p: does not explain a", "p: explains c, which the program does not know"]
    print("check_pages: self-test passed")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def page(root, name):
    with open(f"{root}/deploy/man/{name}", encoding="utf-8") as source:
        return source.read()


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    root, binaries = sys.argv[1:]
    findings = [
        *compare("tallyd.8", flags_of_help(output(f"{binaries}/tallyd", "--help")),
                 items_of_page(page(root, "tallyd.8"), "Fl Fl")),
        *compare("tallyd.yaml.5",
                 keys_of_config(output(f"{binaries}/tallyd", "--config", f"{root}/deploy/debian/tallyd.yaml", "--print-config")),
                 items_of_page(page(root, "tallyd.yaml.5"), "Ic")),
        *compare("tally.1", commands_of_help(output(f"{binaries}/tally", "--help")),
                 items_of_page(page(root, "tally.1"), "Ic")),
    ]
    print("\n".join(findings) if findings else "check_pages: the manual pages agree with the programs")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
