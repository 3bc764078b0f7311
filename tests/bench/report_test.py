# Goal: peers.sh's table and JSON say what its raw values say.
# Method: made-up values with known ratios through report.py's own functions, and the whole program once on a folder
# of its own.

import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import report  # noqa: E402


def by_key(key):
    return next(measure for measure in report.MEASURES if measure.key == key)


def number(key, series, kernels=None):
    result = report.evaluate(by_key(key), series, kernels or {})
    return None if result is None else result.number


class ReportTest(unittest.TestCase):
    def test_a_rate_is_the_median_of_the_ratios_of_its_pairs(self):
        # The clock doubles in the second pair: ratios 2, 2, 4, while the medians' ratio would be 2.67.
        series = {"train_b20_ours": {1: 200.0, 2: 400.0, 3: 600.0}, "train_b20_lean": {1: 100.0, 2: 200.0, 3: 150.0}}
        self.assertEqual(number("train_b20_vs_lean_float", series), 2.0)

    def test_a_pair_that_lacks_a_side_does_not_count(self):
        series = {"train_b20_ours": {1: 200.0, 2: 900.0}, "train_b20_lean": {1: 100.0}}
        self.assertEqual(number("train_b20_vs_lean_float", series), 2.0)

    def test_a_time_is_better_the_shorter_ours_is(self):
        self.assertEqual(number("infer_vs_torchscript", {"infer_ours": {1: 2000.0}, "infer_torchscript": {1: 12000.0}}), 6.0)

    def test_a_stream_compares_nanoseconds_with_a_rate(self):
        # 250,000 samples a second in process are 4,000 ns each; through the daemon 5,000: 80 %.
        series = {"stream_64_daemon": {1: 5000.0}, "stream_64_in_process": {1: 250000.0}}
        self.assertAlmostEqual(number("stream_64", series), 0.8)

    def test_a_stream_tells_what_it_costs_beyond_training(self):
        series = {"stream_64_daemon": {1: 5000.0, 2: 9000.0, 3: 5200.0},
                  "stream_64_in_process": {1: 250000.0, 3: 250000.0}}
        self.assertIn("streamed, 64 samples a message, server CPU beyond training: 1100 ns/sample",
                      list(report.extra_rows(series)))

    def test_a_stream_tells_what_the_promises_alone_leave(self):
        series = {"stream_64_floor": {1: 5000.0, 2: 8000.0}, "stream_64_in_process": {1: 250000.0, 2: 250000.0}}
        self.assertIn("streamed, 64 samples a message, the promises alone (one thread, no gRPC) against in process: "
                      "0.65 (0.50 to 0.80)", list(report.extra_rows(series)))

    def test_the_worse_of_processor_time_and_latency_counts(self):
        series = {"rpc_ours_cpu": {1: 110.0}, "rpc_echo_cpu": {1: 100.0},
                  "rpc_ours_p50": {1: 130.0}, "rpc_echo_p50": {1: 100.0}}
        self.assertEqual(number("infer_rpc_vs_echo", series), 1.3)

    def test_memory_is_a_difference_or_the_value_itself(self):
        self.assertEqual(number("rss_over_echo_kib", {"rss_ours": {1: 17000.0}, "rss_echo": {1: 15000.0}}), 2000.0)
        self.assertEqual(number("peak_rss_kib", {"peak_rss": {1: 25000.0, 2: 26000.0, 3: 50000.0}}), 26000.0)

    def test_what_was_not_measured_is_null(self):
        for measure in report.MEASURES:
            self.assertIsNone(report.evaluate(measure, {}, {"gemm_peak_share": None}))

    def test_goals_and_aims_point_the_right_way(self):
        ratio = report.Result(1, 1, 1.5, 1.5, 1.5, 1)
        self.assertEqual(report.reached(by_key("train_b20_vs_lean_float"), ratio), "yes")
        self.assertEqual(report.reached(by_key("train_b20_vs_libtorch"), ratio), "no")
        self.assertEqual(report.reached(by_key("infer_rpc_vs_echo"), ratio), "no")
        self.assertEqual(report.reached(by_key("rss_over_echo_kib"), ratio), "aim")
        self.assertEqual(report.reached(by_key("rss_over_echo_kib"), None), "not taken")

    def test_the_program_writes_its_files_and_ends_with_json(self):
        with tempfile.TemporaryDirectory() as folder:
            raw, kernels = os.path.join(folder, "raw.csv"), os.path.join(folder, "kernels.json")
            with open(raw, "w", encoding="utf-8") as out:
                out.write("train_b1_ours,1,240\ntrain_b1_lean,1,100\ninfer_ours,1,2000\n")
            with open(kernels, "w", encoding="utf-8") as out:
                json.dump({"gemm_peak_share": 0.91, "gemm_small_vs_onednn": None, "avx2_peak_share": 0.8}, out)
            ran = subprocess.run([sys.executable, os.path.join(HERE, "report.py"), "--raw", raw, "--kernels", kernels,
                                  "--pairs", "1", "--out", folder], check=True, capture_output=True, text=True)
            values = json.loads(ran.stdout.splitlines()[-1])
            self.assertEqual(list(values), [measure.key for measure in report.MEASURES])
            expected = {"train_b1_vs_lean_float": 2.4, "gemm_peak_share": 0.91, "avx2_peak_share": 0.8}
            self.assertEqual({key: value for key, value in values.items() if value is not None}, expected)
            for name, mark in (("peers.md", "2.40"), ("peers.csv", "2.4"), ("peers.svg", "</svg>")):
                with open(os.path.join(folder, name), encoding="utf-8") as written:
                    self.assertIn(mark, written.read())


if __name__ == "__main__":
    unittest.main()
