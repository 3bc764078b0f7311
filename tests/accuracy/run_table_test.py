"""Goal: a table that is interrupted gives the figures and weights of one that is not, tests once, and is reported whole.

Method: `tally` itself on a few drawn digits: one training in pieces with a stop after each, one in a single piece;
then a killed one, whose half-written files lie around; a steered one, which must not touch the test data.
"""

import argparse
import csv
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import report_table  # noqa: E402
import run_table  # noqa: E402
from tables import TABLES, Row  # noqa: E402

TALLY = sys.argv.pop(1)


class RunTableTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.folder.name)
        subprocess.run([TALLY, "synth", "--out", cls.root / "digits", "--train", "405", "--test", "50"], check=True,
                       stdout=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def trainings(self, work, steer=False, **changes):
        row = dict(name="small", network="pocketnn/mnist-mlp", data="digits", beside=(("paper", "96.98"),), goal=1.0,
                   samples=405, epochs=3, piece=1, seeds=(1, 2), hold_out=105)
        row.update(changes)
        settings = argparse.Namespace(tally=TALLY, data=self.root, work=self.root / work, steer=steer, rows=[])
        TABLES["test"] = (Row(**row),)
        return run_table.trainings_of("test", settings)

    def finish(self, work, **changes):
        trainings = self.trainings(work, **changes)
        self.assertTrue(run_table.run(trainings, -1, lambda training: None))
        return trainings

    def test_pieces_with_stops_between_equal_one_run(self):
        whole = self.finish("whole", piece=100)
        runs = 0
        while not run_table.run(self.trainings("pieces"), 1, lambda training: None):
            runs += 1
        self.assertEqual(runs, 5)
        pieces = self.trainings("pieces")
        for one, other in zip(whole, pieces):
            for key in ("digest", "step", "test_correct", "epochs", "total"):
                self.assertEqual(one.state[key], other.state[key], key)
            self.assertEqual(other.state["test_total"], 50)
            self.assertEqual(len(list(other.folder.glob("*.safetensors"))), 1)
        self.assertNotEqual(whole[0].state["digest"], whole[1].state["digest"])

    def test_what_a_kill_leaves_behind_does_no_harm(self):
        whole = self.finish("unbroken", seeds=(1,))
        run_table.run(self.trainings("killed", seeds=(1,)), 1, lambda training: None)
        folder = self.root / "killed" / "test" / "small-seed1"
        (folder / "epoch-2.safetensors").write_text("half a")
        (folder / "state.new").write_text("{")
        killed = self.finish("killed", seeds=(1,))
        self.assertEqual(killed[0].state["digest"], whole[0].state["digest"])

    def test_steering_holds_out_and_never_tests(self):
        training, = self.finish("steered", steer=True, seeds=(1,))
        self.assertNotIn("test_correct", training.state)
        self.assertEqual([e["held_out_total"] for e in training.state["epochs"]], [105] * 3)
        self.assertEqual([e["train_total"] for e in training.state["epochs"]], [300] * 3)
        self.assertIn("--hold-out 105", training.command_text())
        self.assertIn("--test never", training.command_text())

    def test_the_schedule_says_how_many_epochs(self):
        training, = self.trainings("schedule", seeds=(1,), epochs=0)
        training.plan()
        self.assertEqual(training.state["total"], -(-72000 // 41))
        self.assertEqual(training.state["spec"]["learning_rate"][0], ("0", "700"))

    def test_the_report_has_every_row_in_three_forms(self):
        trainings = self.finish("reported")
        trainings += self.trainings("nothing-yet", name="later", goal=0.0)
        report_table.write(self.root / "out", "test", trainings)
        text = (self.root / "out" / "test.md").read_text(encoding="utf-8")
        mean = (sum(t.state["test_correct"] for t in trainings[:2])) / 2 / 50 * 100
        self.assertIn(f"| small | pocketnn/mnist-mlp | {mean:.2f} |", text)
        self.assertIn("| 1.00 | yes | paper 96.98 |", text)
        self.assertIn("| later | pocketnn/mnist-mlp | - |", text)
        self.assertIn("tally fit pocketnn/mnist-mlp --data $TALLY_DATA_DIR/digits --seed 1 --epochs 3 --test last", text)
        with open(self.root / "out" / "test.csv", encoding="utf-8") as table:
            rows = list(csv.DictReader(table))
        self.assertEqual([row["test_total"] for row in rows], ["", "", "50"] * 2)
        self.assertIn("<polyline", (self.root / "out" / "test.svg").read_text(encoding="utf-8"))

    def test_a_failing_training_stops_with_the_programs_words(self):
        with self.assertRaises(SystemExit) as stopped:
            self.finish("failing", network="pocketnn/mnist-mlp", data="nowhere")
        self.assertIn("exit code 66", str(stopped.exception))


if __name__ == "__main__":
    unittest.main()
