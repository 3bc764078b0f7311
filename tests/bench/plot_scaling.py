"""The CSV of train_scaling as a chart: time of a training step against batch size, width and depth, both axes
logarithmic, with the time that the processor's fastest loop would need for the same multiplications.

  plot_scaling.py CSV SVG
"""

import csv
import sys

from svg import Drawing, LogAxis

PANELS = [
    ("batch", "mini-batch (784-100-50-10)", "rows"),
    ("width", "width (784-W-W-10, mini-batch 64)", "W"),
    ("depth", "depth (784, D layers of 256, 10, mini-batch 64)", "D"),
]
WIDTH, HEIGHT, LEFT, TOP, GAP = 330, 330, 70, 60, 80
MEASURED, ROOFS = "#2f5f9d", {16: ("#c0662b", "int16 peak"), 8: ("#8a4fa3", "int8 peak")}


def read(path):
    """{axis: [(value, multiplications, nanoseconds)]} and {bits: nanoseconds a multiplication}"""
    axes, peaks = {}, {}
    with open(path, encoding="utf-8") as table:
        for row in csv.DictReader(table):
            value, products, ns = int(row["value"]), float(row["multiplications_per_step"]), float(row["ns_per_step"])
            if row["axis"] == "peak":
                peaks[value] = ns / products
            else:
                axes.setdefault(row["axis"], []).append((value, products, ns))
    return axes, peaks


def time_name(ns):
    for unit, name in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if ns >= unit:
            return f"{ns / unit:g} {name}"
    return f"{ns:g} ns"


def draw_panel(drawing, left, title, label, points, peaks, y_axis):
    right, bottom = left + WIDTH, TOP + HEIGHT
    x_axis = LogAxis(points[0][0] / 1.3, points[-1][0] * 1.3, left, right)
    drawing.text(left, TOP - 14, title, 13, bold=True)
    for ns in y_axis.powers_of_ten():
        y = y_axis.place(ns)
        drawing.line(left, y, right, y, "#dddddd")
        drawing.text(left - 6, y + 4, time_name(ns), 10, "end")
    for value, _, _ in points:
        drawing.line(x_axis.place(value), bottom, x_axis.place(value), bottom + 4, "#222222")
        drawing.text(x_axis.place(value), bottom + 16, value, 10, "middle")
    drawing.text((left + right) / 2, bottom + 34, label, 11, "middle")
    drawing.line(left, bottom, right, bottom, "#222222")
    drawing.line(left, TOP, left, bottom, "#222222")
    for bits, ns_each in sorted(peaks.items()):
        roof = [(x_axis.place(value), y_axis.place(products * ns_each)) for value, products, _ in points]
        drawing.path(roof, ROOFS[bits][0], 1.5, "5 3")
    measured = [(x_axis.place(value), y_axis.place(ns)) for value, _, ns in points]
    drawing.path(measured, MEASURED)
    for x, y in measured:
        drawing.dot(x, y, MEASURED)
    if 16 in peaks:
        _, products, ns = points[-1]
        drawing.text(measured[-1][0], measured[-1][1] - 9, f"{100 * products * peaks[16] / ns:.0f} %", 10, "end", MEASURED)


def main():
    axes, peaks = read(sys.argv[1])
    every = [ns for points in axes.values() for _, _, ns in points]
    every += [products * each for points in axes.values() for _, products, _ in points for each in peaks.values()]
    y_axis = LogAxis(min(every) / 1.5, max(every) * 1.5, TOP + HEIGHT, TOP)
    panels = [panel for panel in PANELS if panel[0] in axes]
    drawing = Drawing(LEFT + len(panels) * (WIDTH + GAP), TOP + HEIGHT + 80)
    drawing.text(LEFT, 22, "Time of one training step, one core", 15, bold=True)
    for index, (axis, title, label) in enumerate(panels):
        draw_panel(drawing, LEFT + index * (WIDTH + GAP), title, label, axes[axis], peaks, y_axis)
    x, y = LEFT, TOP + HEIGHT + 62
    legend = [(MEASURED, "measured (at its end: share of the int16 peak)" if 16 in peaks else "measured")]
    legend += [ROOFS[bits] for bits in sorted(peaks)]
    for colour, name in legend:
        drawing.line(x, y - 4, x + 24, y - 4, colour, 2)
        drawing.text(x + 30, y, name, 11)
        x += 60 + 7 * len(name)
    drawing.save(sys.argv[2])


if __name__ == "__main__":
    main()
