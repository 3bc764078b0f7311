#!/usr/bin/env bash
# The figures of the README: speed, latency beside a bare gRPC echo, memory, start-up, size.
#
#   tests/bench/figures.sh [PAIRS]      default 5 interleaved pairs; prints Markdown, medians
#
# Needs MNIST in $TALLY_DATA_DIR/mnist (default ../shared/data/mnist beside the project).
set -euo pipefail
cd "$(dirname "$0")/../.."
pairs=${1:-5}
data=${TALLY_DATA_DIR:-$PWD/../shared/data}/mnist
images=$data/train-images-idx3-ubyte.gz labels=$data/train-labels-idx1-ubyte.gz
[ -f "$images" ] || { echo "$0: no MNIST in $data" >&2; exit 66; }

deploy/install-deps.sh build test
cmake --preset release >/dev/null
cmake --build build/release --target tallyd tally echo_server infer_latency stream_throughput train_throughput >/dev/null
bin=$PWD/build/release/bin
work=$(mktemp -d)
mkdir -p build
state=$(mktemp -d "$PWD/build/figures.XXXXXX")  # on a real disk, which /tmp may not be
first_core=$(/usr/bin/python3 -c 'import os; print(min(os.sched_getaffinity(0)))')  # that this shell may use
daemon= echo_pid=
trap '{ kill -TERM $daemon $echo_pid && wait $daemon $echo_pid; } 2>/dev/null || true; rm -rf "$work" "$state"' EXIT

now_us() { echo $(($(date +%s%N) / 1000)); }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
field() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"; }
status_kib() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"; }
# Not VmRSS, which some kernels keep up to 64 pages of each thread out of.
rss_kib() { awk '$1 == "Rss:" { print $2 }' "/proc/$1/smaps_rollup"; }
# User and system time of a process in clock ticks of 10 ms.
cpu_ms() { awk '{ print ($14 + $15) * 10 }' "/proc/$1/stat"; }

cat >"$work/tallyd.yaml" <<END
version: 1
state_dir: $state
listen:
  unix: $work/tallyd.sock
END
begin=$(now_us)
"$bin/tallyd" --config "$work/tallyd.yaml" 2>"$work/tallyd.log" &
daemon=$!
until "$bin/tally" --server "unix:$work/tallyd.sock" status >/dev/null 2>&1; do sleep 0.005; done
started_us=$(($(now_us) - begin))
server=unix:$work/tallyd.sock
idle_empty=$(rss_kib $daemon)
"$bin/tally" --server "$server" create digits --zoo pocketnn/mnist-mlp >/dev/null
idle=$(rss_kib $daemon)

"$bin/echo_server" "unix:$work/echo.sock" >"$work/echo.log" &
echo_pid=$!
until grep -q ready "$work/echo.log"; do sleep 0.01; done
echo_idle=$(rss_kib $echo_pid)

echo "| measure | median of $pairs |"
echo "|---|---|"
for ((i = 0; i < pairs; ++i)); do
  taskset -c "$first_core" "$bin/train_throughput" "$images" "$labels" | field samples_per_second >>"$work/inprocess"
  for rows in 20 64 256; do
    before=$(cpu_ms $daemon)
    "$bin/stream_throughput" "$server" digits "$images" "$labels" $rows 60000 | field samples_per_second >>"$work/stream_$rows"
    echo $((60000 * 1000 / ($(cpu_ms $daemon) - before))) >>"$work/stream_cpu_$rows"
  done
  "$bin/infer_latency" "unix:$work/echo.sock" digits 784 5000 >"$work/latency"
  field p50_us <"$work/latency" >>"$work/echo_p50"
  field p99_us <"$work/latency" >>"$work/echo_p99"
  "$bin/infer_latency" "$server" digits 784 5000 >"$work/latency"
  field p50_us <"$work/latency" >>"$work/infer_p50"
  field p99_us <"$work/latency" >>"$work/infer_p99"
done
echo "| training in process, one thread, mini-batch 10, samples/s | $(median <"$work/inprocess") |"
for rows in 20 64 256; do
  echo "| through the daemon, durable, $rows samples a message, samples/s wall | $(median <"$work/stream_$rows") |"
  echo "| ... samples a second of server CPU | $(median <"$work/stream_cpu_$rows") |"
done
echo "| one-row ModelInfer p50 / p99, us | $(median <"$work/infer_p50") / $(median <"$work/infer_p99") |"
echo "| bare gRPC echo p50 / p99, us | $(median <"$work/echo_p50") / $(median <"$work/echo_p99") |"
echo "| resident memory idle, no model / MNIST model / bare echo, KiB | $idle_empty / $idle / $echo_idle |"
echo "| peak resident memory after all of it, KiB | $(status_kib $daemon VmHWM) |"
echo "| start to first answered status call, ms | $((started_us / 1000)) |"
strip -o "$work/tallyd.stripped" "$bin/tallyd"
strip -o "$work/tally.stripped" "$bin/tally"
echo "| stripped size tallyd / tally, KiB | $(($(stat -c %s "$work/tallyd.stripped") / 1024)) / $(($(stat -c %s "$work/tally.stripped") / 1024)) |"
