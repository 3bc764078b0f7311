"""From the raw values of peers.sh to a table, a chart and one line of JSON.

  report.py --raw FILE --kernels FILE --pairs N [--load TEXT] [--out DIR]

FILE of --raw has lines `series,pair,value`. A measure compares two series pair by pair; what counts is the
median of its pairs, so that a clock that drifts between pairs does not matter. Prints Markdown, and on the last line
JSON: measure to number, null for one that could not be taken. With --out also writes peers.md, .csv and .svg.
"""

import argparse
import collections
import csv
import json
import os
import platform
import re
import statistics
import subprocess

from svg import Drawing

# `kind` says how a pair becomes a number, from the first series (ours) and the second (theirs):
#   rate      ours / theirs: ours is a speed; more is better
#   time      theirs / ours: ours is a time; more is better
#   overhead  ours / theirs: less is better
#   minus     ours - theirs: less is better
#   value     ours; less is better
#   share     taken from kernels_bench; more is better
# A measure with several couples of series counts the worst of them.
Measure = collections.namedtuple("Measure", "key title kind couples unit goal aim")
MEASURES = [
    Measure("gemm_peak_share", "int8 products, N and K >= 512, M >= 20: share of the peak", "share", [], "", 0.85, 0.95),
    Measure("gemm_small_vs_onednn", "int8 product 20x100x784 against oneDNN's packed primitive", "share", [], "", 1.0, 1.2),
    Measure("avx2_peak_share", "AVX2 path, large products: share of its peak", "share", [], "", 0.80, 0.95),
    Measure("train_b20_vs_lean_float", "training, mini-batch 20, against lean C++/OpenBLAS floats", "rate",
            [("train_b20_ours", "train_b20_lean")], "samples/CPU-s", 1.5, 2.3),
    Measure("train_b20_vs_libtorch", "training, mini-batch 20, against libtorch C++", "rate",
            [("train_b20_ours", "train_b20_libtorch")], "samples/CPU-s", 4, 6),
    Measure("train_b1_vs_lean_float", "training, mini-batch 1, against lean C++/OpenBLAS floats", "rate",
            [("train_b1_ours", "train_b1_lean")], "samples/CPU-s", 1.2, 3),
    Measure("niti_lenet_vs_libtorch", "training niti/lenet, mini-batch 64, against libtorch's faster memory format", "rate",
            [("lenet_ours", "lenet_torch")], "images/CPU-s", 3, 5),
    Measure("niti_vgg_vs_libtorch", "training a VGG (64-64-M-128-128-M-256-256-M), mini-batch 64, likewise", "rate",
            [("vgg_ours", "vgg_torch")], "images/CPU-s", 2, 3),
    Measure("infer_vs_torchscript", "inference, one row in process, against frozen TorchScript", "time",
            [("infer_ours", "infer_torchscript")], "ns", 6, 10),
    Measure("threads_2_vs_1", "training, mini-batch 64, 2 threads against 1 (wall)", "rate",
            [("threads_2", "threads_1")], "samples/s", 1.6, 1.8),
    Measure("stream_20", "streamed, 20 samples a message, server CPU against in process", "stream",
            [("stream_20_daemon", "stream_20_in_process")], "samples/CPU-s", 0.75, 0.85),
    Measure("stream_64", "streamed, 64 samples a message, server CPU against in process", "stream",
            [("stream_64_daemon", "stream_64_in_process")], "samples/CPU-s", 0.80, 0.90),
    Measure("stream_256", "streamed, 256 samples a message, server CPU against in process", "stream",
            [("stream_256_daemon", "stream_256_in_process")], "samples/CPU-s", 0.85, 0.93),
    Measure("journal", "streamed into a journal on disk against one in memory (worse of CPU, wall)", "time",
            [("journal_disk_cpu", "journal_memory_cpu"), ("journal_disk_wall", "journal_memory_wall")], "ns/sample", 0.80, 0.90),
    Measure("infer_rpc_vs_echo", "one-row ModelInfer against a bare echo (worse of server CPU, p50)", "overhead",
            [("rpc_ours_cpu", "rpc_echo_cpu"), ("rpc_ours_p50", "rpc_echo_p50")], "ns", 1.15, 1.05),
    Measure("rss_over_echo_kib", "idle resident memory above a bare echo server", "minus",
            [("rss_ours", "rss_echo")], "KiB", 3072, 1536),
    Measure("peak_rss_kib", "peak resident memory, 8 clients with batch streams", "value",
            [("peak_rss", None)], "KiB", 30720, 24576),
]
LESS_IS_BETTER = {"overhead", "minus", "value"}
# Of the published program, on real MNIST, one core of the machine of `results`; quoted, not measured here.
POCKETNN_SAMPLES_PER_SECOND = 3200

Result = collections.namedtuple("Result", "ours theirs number low high pairs")


def read_raw(path):
    """{series: {pair: value}}"""
    series = collections.defaultdict(dict)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as raw:
            for name, pair, value in csv.reader(raw):
                series[name][int(pair)] = float(value)
    return series


def combine(kind, ours, theirs):
    if kind in ("rate", "overhead"):
        return ours / theirs
    if kind == "time":
        return theirs / ours
    if kind == "minus":
        return ours - theirs
    return ours


def evaluate_couple(kind, series, ours_name, theirs_name):
    ours = dict(series.get(ours_name, {}))
    if kind == "stream":  # the daemon reports nanoseconds a sample, the trainer samples a second
        ours = {pair: 1e9 / value for pair, value in ours.items()}
        kind = "rate"
    theirs = series.get(theirs_name, {}) if theirs_name else {pair: 0 for pair in ours}
    pairs = sorted(set(ours) & set(theirs))
    if not pairs:
        return None
    numbers = [combine(kind, ours[pair], theirs[pair]) for pair in pairs]
    middle = statistics.median
    return Result(middle([ours[p] for p in pairs]), middle([theirs[p] for p in pairs]) if theirs_name else None,
                  middle(numbers), min(numbers), max(numbers), len(pairs))


def evaluate(measure, series, kernels):
    if measure.kind == "share":
        number = kernels.get(measure.key)
        return None if number is None else Result(None, None, number, number, number, 1)
    results = [evaluate_couple(measure.kind, series, *couple) for couple in measure.couples]
    if any(result is None for result in results):
        return None
    worst = max if measure.kind in LESS_IS_BETTER else min
    return worst(results, key=lambda result: result.number)


def read_kernels(path):
    if not path or not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as kernels:
        return json.load(kernels)


def output_of(*command):
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine(load):
    """What the figures depend on, one line each."""
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        text = cpuinfo.read()
    model = re.search(r"^model name\s*:\s*(.*)$", text, re.M)
    flags = set((re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text, re.M) or ["", ""])[1].split())
    telling = [f for f in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "asimd", "asimddp", "neon") if f in flags]
    with open("/proc/meminfo", encoding="utf-8") as meminfo:
        memory_kib = int(meminfo.read().split()[1])
    packages = output_of("dpkg-query", "-W", "-f", "${Package} ${Version}; ", "libopenblas0-pthread", "libtorch1.13",
                         "libdnnl2", "libgrpc++1.51")
    lines = [
        f"processor: {model[1] if model else platform.machine()}, {os.cpu_count()} cores, {' '.join(telling)}"
        + (", virtual machine" if "hypervisor" in flags else ""),
        f"memory: {memory_kib / 2 ** 20:.0f} GiB; Linux {'.'.join(platform.release().split('.')[:2])}",
        f"compiler: {output_of('g++', '--version').splitlines()[0] if output_of('g++', '--version') else 'unknown'}",
        f"peers: {packages.strip('; ') or 'none'}",
        f"source: {output_of('git', 'describe', '--always', '--dirty') or 'unknown'}; "
        f"date: {output_of('date', '-u', '+%Y-%m-%d')}",
    ]
    if load:
        with open("/proc/loadavg", encoding="utf-8") as loadavg:
            lines.append(f"load (1, 5, 15 minutes): {load} before, {' '.join(loadavg.read().split()[:3])} after")
    return lines


def show(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def reached(measure, result):
    if result is None:
        return "not taken"
    better = (lambda a, b: a <= b) if measure.kind in LESS_IS_BETTER else (lambda a, b: a >= b)
    return "aim" if better(result.number, measure.aim) else "yes" if better(result.number, measure.goal) else "no"


def extra_rows(series):
    """What no goal asks for but a reader wants to know."""
    ours = series.get("train_b20_ours")
    if ours:
        ratio = statistics.median(ours.values()) / POCKETNN_SAMPLES_PER_SECOND
        yield (f"training, mini-batch 20, beside the published PocketNN program "
               f"({POCKETNN_SAMPLES_PER_SECOND} samples/s a core, quoted): {ratio:.0f}x")
    for rows in (20, 64, 256):
        wall = series.get(f"stream_{rows}_wall")
        if wall:
            yield f"streamed, {rows} samples a message, wall: {statistics.median(wall.values()):.0f} samples/s"
        trained = series.get(f"stream_{rows}_in_process", {})
        beyond = [cost - 1e9 / trained[pair] for pair, cost in series.get(f"stream_{rows}_daemon", {}).items()
                  if pair in trained]
        if beyond:
            yield (f"streamed, {rows} samples a message, server CPU beyond training: "
                   f"{statistics.median(beyond):.0f} ns/sample")
        floor = evaluate_couple("stream", series, f"stream_{rows}_floor", f"stream_{rows}_in_process")
        if floor:
            yield (f"streamed, {rows} samples a message, the promises alone (one thread, no gRPC) against in process: "
                   f"{floor.number:.2f} ({floor.low:.2f} to {floor.high:.2f})")
    latency = evaluate_couple("overhead", series, "p99_training", "p99_idle")
    if latency:
        yield (f"one-row ModelInfer while training at full speed against at rest, p99: {latency.number:.2f} "
               f"({latency.low:.2f} to {latency.high:.2f}); {latency.ours:.0f} and {latency.theirs:.0f} us")
    for title, ours, theirs, kind in (
            ("journal on disk against in memory, CPU", "journal_disk_cpu", "journal_memory_cpu", "time"),
            ("journal on disk against in memory, wall", "journal_disk_wall", "journal_memory_wall", "time"),
            ("one-row ModelInfer against a bare echo, server CPU", "rpc_ours_cpu", "rpc_echo_cpu", "overhead"),
            ("one-row ModelInfer against a bare echo, p50", "rpc_ours_p50", "rpc_echo_p50", "overhead"),
            ("bare echo, completion queue against callbacks, server CPU", "rpc_queue_cpu", "rpc_echo_cpu", "overhead"),
            ("bare echo, completion queue against callbacks, p50", "rpc_queue_p50", "rpc_echo_p50", "overhead")):
        result = evaluate_couple(kind, series, ours, theirs)
        if result:
            yield (f"{title}: {result.number:.2f} ({result.low:.2f} to {result.high:.2f}); "
                   f"{result.ours:.0f} and {result.theirs:.0f} ns")


def markdown(results, series, description):
    lines = ["| measure | ours | theirs | unit | median of pairs | from | to | at least | aim | reached |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for measure, result in results:
        r = result or Result(None, None, None, None, None, 0)
        bound = "<= " if measure.kind in LESS_IS_BETTER else ""
        lines.append(f"| {measure.title} | {show(r.ours)} | {show(r.theirs)} | {measure.unit} | **{show(r.number)}** | "
                     f"{show(r.low)} | {show(r.high)} | {bound}{show(measure.goal)} | {bound}{show(measure.aim)} | "
                     f"{reached(measure, result)} |")
    lines += [""] + [f"- {row}" for row in extra_rows(series)] + ["", "Machine:", ""]
    return lines + [f"- {line}" for line in description]


def write_csv(path, results):
    with open(path, "w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["measure", "ours", "theirs", "unit", "number", "low", "high", "pairs", "goal", "aim"])
        for m, result in results:
            r = result or Result(None, None, None, None, None, 0)
            table.writerow([m.key, r.ours, r.theirs, m.unit, r.number, r.low, r.high, r.pairs, m.goal, m.aim])


def draw_goals(drawing, results, top):
    """One bar a measure: how far it is towards its goal, which is the line at 1."""
    left, full, row = 470, 330, 26
    far = 2.0  # the axis ends at twice the goal
    drawing.text(20, top - 20, "Share of the goal reached (line: goal, tick: aim)", 14, bold=True)
    for index, (measure, result) in enumerate(results):
        y = top + index * row
        drawing.text(left - 10, y + 14, measure.title, 11, "end")
        less = measure.kind in LESS_IS_BETTER
        aim = min(far, measure.goal / measure.aim if less else measure.aim / measure.goal)
        if result is None:
            drawing.text(left + 6, y + 14, "not taken", 11, fill="#999999")
        else:
            share = far if less and result.number <= 0 else (
                measure.goal / result.number if less else result.number / measure.goal)
            colour = "#2f7d4f" if share >= 1 else "#c0662b"
            drawing.rect(left, y + 3, full * min(share, far) / far, row - 10, colour)
            drawing.text(left + full + 10, y + 14, f"{show(result.number)} (goal {show(measure.goal)})", 11)
        x = left + full * aim / far
        drawing.line(x, y + 1, x, y + row - 5, "#444444", 2)
    x = left + full / far
    drawing.line(x, top - 6, x, top + len(results) * row, "#000000", 1, "4 3")
    return top + len(results) * row


def draw_speeds(drawing, series, top):
    bars = [("train_b20_ours", "mini-batch 20: Tally"), ("train_b20_lean", "mini-batch 20: lean C++/OpenBLAS"),
            ("train_b20_libtorch", "mini-batch 20: libtorch C++"), ("train_b1_ours", "mini-batch 1: Tally"),
            ("train_b1_lean", "mini-batch 1: lean C++/OpenBLAS")]
    known = [(name, title, statistics.median(series[name].values())) for name, title in bars if series.get(name)]
    drawing.text(20, top, "Training 784-100-50-10 on MNIST, samples a second of one core", 14, bold=True)
    for index, (name, title, value) in enumerate(known):
        y = top + 14 + index * 26
        drawing.text(460, y + 14, title, 11, "end")
        width = 330 * value / max(v for _, _, v in known)
        drawing.rect(470, y + 3, width, 16, "#2f5f9d" if name.endswith("ours") else "#9aa7b5")
        drawing.text(476 + width, y + 14, f"{value:.0f}", 11)


def write_svg(path, results, series):
    drawing = Drawing(960, 60 + len(results) * 26 + 210)
    bottom = draw_goals(drawing, results, 50)
    draw_speeds(drawing, series, bottom + 40)
    drawing.save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", required=True)
    parser.add_argument("--kernels")
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--load", default="")
    parser.add_argument("--out")
    options = parser.parse_args()
    series = read_raw(options.raw)
    kernels = read_kernels(options.kernels)
    results = [(measure, evaluate(measure, series, kernels)) for measure in MEASURES]
    text = "\n".join(markdown(results, series, machine(options.load) + [f"pairs: {options.pairs}"]))
    print(text)
    if options.out:
        with open(os.path.join(options.out, "peers.md"), "w", encoding="utf-8") as out:
            out.write("# Tally beside its peers\n\nWritten by `tests/bench/peers.sh`; what each measure is and how it "
                      "is taken: [README](../README.md).\n\n![chart](peers.svg)\n\n" + text + "\n")
        write_csv(os.path.join(options.out, "peers.csv"), results)
        write_svg(os.path.join(options.out, "peers.svg"), results, series)
    print(json.dumps({m.key: None if r is None else round(r.number, 3) for m, r in results}))


if __name__ == "__main__":
    main()
