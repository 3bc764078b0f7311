"""Trains the rows of one table with `tally fit` and reports them; started again, it goes on where it stopped.

Every row and seed has a folder with its last checkpoint, the accuracy of every epoch and the time it took so far. A
piece of training counts when its state file is renamed into place: a kill at any moment loses at most one piece, and
the finished run has the digest of one that was never interrupted.

By default all training samples are trained and the test data are read once, after the last epoch. With --steer the
last samples of the training set are held out and predicted after every epoch, and the test data are never read: what
schedules may be chosen by.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import time

import report_table
from tables import TABLES

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Training:
    """One row with one seed: its folder and what has been done."""

    def __init__(self, row, seed, folder, settings):
        self.row, self.seed, self.folder, self.settings = row, seed, folder, settings
        self.state_path = folder / "state.json"
        self.state = {"done": 0, "total": None, "epochs": [], "wall_s": 0.0, "cpu_s": 0.0}
        if self.state_path.exists():
            self.state = json.loads(self.state_path.read_text(encoding="utf-8"))

    def finished(self):
        return self.state["total"] is not None and self.state["done"] >= self.state["total"]

    def network(self):
        spec = HERE / "specs" / self.row.network
        return str(spec) if spec.is_file() else self.row.network

    def common(self):
        row, settings = self.row, self.settings
        return [*row.options, *(["--hold-out", str(row.hold_out)] if settings.steer else [])]

    def command_text(self):
        """The same training in one go, for the report."""
        test = "never" if self.settings.steer else "last"
        network = self.network().replace(str(ROOT) + "/", "")
        return " ".join(["tally fit", network, "--data", f"$TALLY_DATA_DIR/{self.row.data}", "--seed",
                         str(self.seed), "--epochs", str(self.state["total"]), "--test", test, *self.common()])

    def next_piece(self):
        """Epochs of the next piece, and whether it is the last one."""
        done, total = self.state["done"], self.state["total"]
        epochs = min(self.row.piece, total - done)
        return epochs, done + epochs == total

    def run_piece(self):
        done = self.state["done"]
        epochs, last = self.next_piece()
        model = self.folder / f"epoch-{done + epochs}.safetensors"
        source = self.network() if done == 0 else str(self.folder / f"epoch-{done}.safetensors")
        command = [self.settings.tally, "fit", source, "--data", str(self.settings.data / self.row.data),
                   "--epochs", str(epochs), "--first-epoch", str(done), "--out", str(model), "--json", "--test",
                   "last" if last and not self.settings.steer else "never", *self.common()]
        if done == 0:
            command += ["--seed", str(self.seed)]
        elif "--in-order" not in command:
            command += ["--shuffle-seed", str(self.seed)]
        result, wall, cpu = run_timed(command)
        self.record(result, epochs, wall, cpu)
        if done > 0:
            pathlib.Path(source).unlink()

    def record(self, result, epochs, wall, cpu):
        state = self.state
        for number, epoch in enumerate(result["epochs"], start=state["done"] + 1):
            state["epochs"].append({"epoch": number, "train_correct": epoch["train_correct"],
                                    "train_total": result["train_total"],
                                    "held_out_correct": epoch.get("held_out_correct"),
                                    "held_out_total": result["held_out_total"]})
        state["done"] += epochs
        state["wall_s"] += wall
        state["cpu_s"] += cpu
        state["step"], state["digest"] = result["step"], result["digest"]
        if result["test_total"] > 0:
            state["test_correct"], state["test_total"] = result["test_correct"], result["test_total"]
        self.save()

    def save(self):
        fresh = self.state_path.with_suffix(".new")
        fresh.write_text(json.dumps(self.state, indent=1), encoding="utf-8")
        os.replace(fresh, self.state_path)

    def plan(self):
        """How many epochs there are in all: the row's, or what the spec's schedule asks for."""
        if self.state["total"] is not None:
            return
        spec = spec_of(self.settings.tally, self.network())
        samples = self.row.samples - (self.row.hold_out if self.settings.steer else 0)
        self.state["spec"] = spec
        epoch_steps = -(-samples // spec["batch_size"])  # the last mini-batch of an epoch may be partial
        self.state["total"] = self.row.epochs or max(1, -(-spec["schedule_steps"] // epoch_steps))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.save()


def run_timed(command):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nfailed with exit code {done.returncode}:\n{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout.strip().splitlines()[-1]), wall, cpu


def spec_of(tally, network):
    """What the report says of a spec: batch_size, schedule_steps and the learning rate's points, from its YAML."""
    if os.path.isfile(network):
        text = pathlib.Path(network).read_text(encoding="utf-8")
    else:
        text = subprocess.run([tally, "zoo", network], stdout=subprocess.PIPE, text=True, check=True).stdout
    spec = {key: int(re.search(rf"^{key}: (\d+)", text, re.MULTILINE).group(1))
            for key in ("batch_size", "schedule_steps")}
    spec["learning_rate"] = re.findall(r"{from_step: (\d+), (?:mu|inverse): (-?\d+)}", text)
    return spec


def trainings_of(name, settings):
    folder = settings.work / (name + ("-steer" if settings.steer else ""))
    return [Training(row, seed, folder / f"{row.name}-seed{seed}", settings)
            for row in TABLES[name] if not settings.rows or row.name in settings.rows for seed in row.seeds]


def run(trainings, pieces_max, on_progress):
    """Trains until all is done or `pieces_max` pieces were trained; returns whether all is done."""
    pieces = 0
    for training in trainings:
        training.plan()
        while not training.finished():
            if pieces == pieces_max:
                return False
            training.run_piece()
            pieces += 1
            on_progress(training)
    return True


def show(training):
    state = training.state
    last = state["epochs"][-1]
    text = f"{training.row.name} seed {training.seed}: epoch {state['done']} of {state['total']}, training "
    text += f"{100 * last['train_correct'] / last['train_total']:.2f} %"
    if last["held_out_total"]:
        text += f", held out {100 * last['held_out_correct'] / last['held_out_total']:.2f} %"
    if "test_correct" in state:
        text += f", test {100 * state['test_correct'] / state['test_total']:.2f} %"
    print(f"{text}, {state['cpu_s']:.0f} s of CPU", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=sorted(TABLES))
    parser.add_argument("--tally", required=True, help="the program; run.sh finds it")
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("TALLY_DATA_DIR"),
                        help="default: TALLY_DATA_DIR")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "accuracy",
                        help="checkpoints and states; delete a row's folder there to train it again")
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "results")
    parser.add_argument("--rows", nargs="*", default=[], help="only these rows")
    parser.add_argument("--steer", action="store_true", help="hold samples out instead of testing")
    parser.add_argument("--pieces", type=int, default=-1, help="stop after so many pieces; run again to go on")
    settings = parser.parse_args()
    if settings.data is None:
        sys.exit("set TALLY_DATA_DIR, or name the data with --data")
    settings.data = pathlib.Path(settings.data)
    trainings = trainings_of(settings.table, settings)
    done = run(trainings, settings.pieces, show)
    name = settings.table + ("-steer" if settings.steer else "")
    report_table.write(settings.out, name, trainings)
    print(f"{'done' if done else 'stopped'}; {settings.out / (name + '.md')}")


if __name__ == "__main__":
    main()
