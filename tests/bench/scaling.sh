#!/usr/bin/env bash
# How the cost of learning grows: time of a training step against batch size, width and depth, beside the time the
# processor's fastest loop would need for the same multiplications.
#
#   tests/bench/scaling.sh [--out DIR] [--bin DIR] [--milliseconds N]
#
#   --out DIR         where scaling.csv and scaling.svg go (default tests/bench/results)
#   --bin DIR         programs that are built already
#   --milliseconds N  of measuring each point (default 300; there are two dozen)
#
# Needs MNIST in $TALLY_DATA_DIR/mnist (default ../shared/data beside the project).
set -euo pipefail
cd "$(dirname "$0")/../.."

out=tests/bench/results bin='' milliseconds=300
while [ $# -gt 0 ]; do
  case "$1" in
    --out) out=${2:-} ;;
    --bin) bin=${2:-} ;;
    --milliseconds) milliseconds=${2:-} ;;
    *) sed -n '5,9s/^# \{0,1\}//p' tests/bench/scaling.sh >&2; exit 64 ;;
  esac
  shift 2
done
data=${TALLY_DATA_DIR:-$PWD/../shared/data}/mnist
[ -d "$data" ] || { echo "$0: no MNIST in $data; set TALLY_DATA_DIR" >&2; exit 66; }

if [ -z "$bin" ]; then
  deploy/install-deps.sh build test
  cmake --preset release >/dev/null
  cmake --build build/release --target train_scaling >/dev/null
  bin=build/release/bin
fi
mkdir -p "$out"
last_core=$(/usr/bin/python3 -c 'import os; print(max(os.sched_getaffinity(0)))')  # that this shell may use
taskset -c "$last_core" "$bin/train_scaling" "$data/train-images-idx3-ubyte.gz" \
  "$data/train-labels-idx1-ubyte.gz" "$milliseconds" | tee "$out/scaling.csv"
/usr/bin/python3 tests/bench/plot_scaling.py "$out/scaling.csv" "$out/scaling.svg"
