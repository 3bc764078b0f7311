"""A table's trainings as Markdown, CSV and a chart of their curves."""

import csv
import os
import platform
import re
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
from svg import Drawing  # noqa: E402

COLOURS = ("#2f5f9d", "#c0662b", "#2f7d4f", "#8a4f9e", "#a03040", "#5f6b7a")


def percent(correct, total):
    return 100 * correct / total


def final(training):
    """Percent at the last epoch: of the test data, or of the held-out ones when steering; None before."""
    state = training.state
    if not training.finished():
        return None
    if "test_correct" in state:
        return percent(state["test_correct"], state["test_total"])
    last = state["epochs"][-1]
    return percent(last["held_out_correct"], last["held_out_total"]) if last["held_out_total"] else None


def by_row(trainings):
    rows = {}
    for training in trainings:
        rows.setdefault(training.row, []).append(training)
    return rows


def schedule(training):
    spec = training.state["spec"]
    points = ", ".join(f"{value} from step {step}" for step, value in spec["learning_rate"])
    return f"{training.state['total']} epochs of mini-batches of {spec['batch_size']}; rate {points}"


def summary_line(row, trainings):
    values = [final(training) for training in trainings]
    known = [value for value in values if value is not None]
    beside = "; ".join(f"{what} {figure}" for what, figure in row.beside)
    goal = f"{row.goal:.2f}" if row.goal else "-"
    if not known:
        return f"| {row.name} | {row.network} | - | - | {goal} | - | {beside} |"
    mean = statistics.mean(known)
    met = "-" if not row.goal or len(known) < len(values) else "yes" if mean >= row.goal else "**no**"
    spread = f"{min(known):.2f} to {max(known):.2f}, n = {len(known)}"
    return f"| {row.name} | {row.network} | {mean:.2f} | {spread} | {goal} | {met} | {beside} |"


def training_lines(training):
    state = training.state
    value = final(training)
    last = state["epochs"][-1] if state["epochs"] else None
    figure = "-" if value is None else f"{value:.2f}"
    trained = "-" if last is None else f"{percent(last['train_correct'], last['train_total']):.2f}"
    return (f"| {training.row.name} | {training.seed} | {state['done']} of {state['total'] or '?'} | {trained} | {figure} "
            f"| {state['wall_s']:.0f} | {state['cpu_s']:.0f} | `{state.get('digest', '-')[:16]}` |")


def machine():
    """Processor and load: wall times mean little beside other work."""
    model = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            model = re.search(r"model name\s*:\s*(.*)", info.read()).group(1)
    except (OSError, AttributeError):
        pass
    here = os.path.dirname(os.path.abspath(__file__))
    source = subprocess.run(["git", "-C", here, "describe", "--always", "--dirty"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=False).stdout.strip()
    return [f"- processor: {model}, {os.cpu_count()} cores; load while reporting: {os.getloadavg()[0]:.1f}",
            f"- source: {source or 'unknown'}"]


def markdown(name, trainings):
    steered = trainings[0].settings.steer
    kind = "held-out samples of the training set" if steered else "test samples, read once"
    lines = [f"# {name}", "", f"Written by `tests/accuracy/run.sh`. Accuracy in percent at the last epoch, {kind}.", "",
             f"![curves]({name}.svg)", "", "| row | network | mean | seeds | goal | met | beside |",
             "|---|---|---|---|---|---|---|"]
    rows = by_row(trainings)
    lines += [summary_line(row, members) for row, members in rows.items()]
    lines += ["", "| row | seed | epochs | training % | final % | wall s | CPU s | state digest |",
              "|---|---|---|---|---|---|---|---|"]
    lines += [training_lines(training) for training in trainings]
    lines += ["", "Training %: of the last epoch, each sample predicted before it was learnt. Times are of all calls of "
              "`tally fit`, reading the data included.", ""]
    for row, members in rows.items():
        if "spec" in members[0].state:
            lines += [f"- {row.name}: {schedule(members[0])}.", f"  `{members[0].command_text()}`"]
    return "\n".join(lines + [""] + machine()) + "\n"


def write_csv(path, trainings):
    with open(path, "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["row", "seed", "epoch", "train_correct", "train_total", "held_out_correct", "held_out_total",
                         "test_correct", "test_total"])
        for training in trainings:
            state = training.state
            for epoch in state["epochs"]:
                is_last = epoch["epoch"] == state["total"]
                tested = [state.get("test_correct", ""), state.get("test_total", "")] if is_last else ["", ""]
                held_out = epoch["held_out_correct"] if epoch["held_out_total"] else ""
                writer.writerow([training.row.name, training.seed, epoch["epoch"], epoch["train_correct"],
                                 epoch["train_total"], held_out, epoch["held_out_total"] or "", *tested])


def curves(trainings):
    """(label, points, dashes) of every line of the chart, in percent by epoch."""
    for training in trainings:
        title = f"{training.row.name}, seed {training.seed}"
        epochs = training.state["epochs"]
        held_out = [(e["epoch"], percent(e["held_out_correct"], e["held_out_total"])) for e in epochs
                    if e["held_out_total"]]
        if held_out:
            yield f"{title}, held out", held_out, ""
        else:
            yield f"{title}, training", [(e["epoch"], percent(e["train_correct"], e["train_total"])) for e in epochs], ""
        if "test_correct" in training.state:
            yield f"{title}, test", [(training.state["total"], final(training))], ""
    for row in by_row(trainings):
        if row.curve:
            yield row.curve[0], row.curve[1], "5 4"


def write_svg(path, name, trainings):
    lines = [(label, points, dashes) for label, points, dashes in curves(trainings) if points]
    left, top, width, height = 60, 40, 560, 360
    drawing = Drawing(left + width + 300, top + height + 60)
    drawing.text(left, 24, f"{name}: accuracy by epoch, percent", 14, bold=True)
    if lines:
        draw_curves(drawing, lines, (left, top, width, height))
    drawing.save(path)


def draw_curves(drawing, lines, frame):
    left, top, width, height = frame
    last = max(2, max(epoch for _, points, _ in lines for epoch, _ in points))
    low = min(value for _, points, _ in lines for _, value in points)
    high = max(value for _, points, _ in lines for _, value in points)
    step = next(step for step in (0.5, 1, 2, 5, 10, 20) if (high - low) / step <= 8)
    low, high = step * (low // step), step * (high // step + 1)
    x = lambda epoch: left + width * (epoch - 1) / (last - 1)
    y = lambda value: top + height * (high - value) / (high - low)
    for tick in range(round((high - low) / step) + 1):
        value = low + tick * step
        drawing.line(left, y(value), left + width, y(value), "#dddddd")
        drawing.text(left - 8, y(value) + 4, f"{value:g}", 11, "end")
    for epoch in range(1, last + 1, max(1, last // 10)):
        drawing.text(x(epoch), top + height + 18, epoch, 11, "middle")
    for index, (label, points, dashes) in enumerate(lines):
        colour = "#444444" if dashes else COLOURS[index // 2 % len(COLOURS)]
        places = [(x(epoch), y(value)) for epoch, value in points]
        if len(places) > 1:
            drawing.path(places, colour, 2, dashes)
        for place in places:
            drawing.dot(*place, colour, 3 if len(places) > 1 else 5)
        drawing.text(left + width + 16, top + 10 + index * 18, f"{label}: {points[-1][1]:.2f}", 11, fill=colour)


def write(folder, name, trainings):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(markdown(name, trainings), encoding="utf-8")
    write_csv(folder / f"{name}.csv", trainings)
    write_svg(folder / f"{name}.svg", name, trainings)
