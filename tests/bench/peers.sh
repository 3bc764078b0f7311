#!/usr/bin/env bash
# Tally beside its peers on this machine: every measure of README.md in one run, interleaved, medians.
#
#   tests/bench/peers.sh [--quick] [--pairs N] [--only NAME,...] [--out DIR] [--bin DIR]
#
#   --pairs N   how often everything is measured (default 5)
#   --quick     a smoke run: 2 pairs, little work; its figures mean nothing
#   --only ...  of training, convolution, inference, threads, stream, journal, rpc, latency, memory, kernels (comma-separated)
#   --out DIR   where peers.md, peers.csv and peers.svg go (default: tests/bench/results for a full run, else nowhere)
#   --bin DIR   programs that are built already: install and build nothing
#
# The last line is JSON: each measure and its number, null where a package or an instruction is missing.
# Needs MNIST in $TALLY_DATA_DIR/mnist (default ../shared/data/mnist beside the project).
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD

usage() { sed -n '4,13s/^# \{0,1\}//p' "$root/tests/bench/peers.sh" >&2; exit 64; }
pairs=5 quick=no only=all out= bin=
while [ $# -gt 0 ]; do
  case "$1" in
    --quick) quick=yes pairs=2 ;;
    --pairs) pairs=${2:-}; shift ;;
    --only) only=${2:-}; shift ;;
    --out) out=${2:-}; shift ;;
    --bin) bin=${2:-}; shift ;;
    *) usage ;;
  esac
  shift || usage
done
[[ $pairs =~ ^[1-9][0-9]*$ ]] || usage
[ -n "$out" ] || { [ $quick = yes ] || [ "$only" != all ]; } || out=tests/bench/results

data=${TALLY_DATA_DIR:-$root/../shared/data}/mnist
images=$data/train-images-idx3-ubyte.gz labels=$data/train-labels-idx1-ubyte.gz
[ -f "$images" ] || { echo "$0: no MNIST in $data; set TALLY_DATA_DIR" >&2; exit 66; }

programs=(tallyd tally echo_server infer_latency stream_throughput stream_floor train_throughput predict_throughput
  journal_cost)
peers=(lean_float_trainer libtorch_trainer libtorch_image_trainer torchscript_inference kernels_bench)
if [ -z "$bin" ]; then
  deploy/install-deps.sh build test
  deploy/install-deps.sh peers || echo "$0: some peers cannot be installed; their measures will be null" >&2
  cmake --preset release >/dev/null
  known=$(ninja -C build/release -t targets all)
  for peer in "${peers[@]}"; do
    if grep -q "^$peer:" <<<"$known"; then programs+=("$peer"); fi
  done
  cmake --build build/release --target "${programs[@]}" >/dev/null
  bin=$root/build/release/bin
fi

# On a real disk, which /tmp may not be.
mkdir -p build
work=$(mktemp -d "$root/build/peers.XXXXXX")
# The path of a socket has at most 107 characters, however deep the project lies.
sockets=$(mktemp -d)
raw=$work/raw.csv
daemon='' echo_pid=''
stop() { [ -z "$1" ] || { kill -TERM "$1" && wait "$1"; } 2>/dev/null || true; }
trap 'stop "$daemon"; stop "$echo_pid"; rm -rf "$work" "$sockets"' EXIT

# One thread each, and none that spins.
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE
# The processors that this shell may use: servers and what runs alone on the last one, clients on the first.
mapfile -t allowed < <(/usr/bin/python3 -c 'import os; print(*sorted(os.sched_getaffinity(0)), sep="\n")')
cores=${#allowed[@]} client_core=${allowed[0]} work_core=${allowed[-1]}
on_work_core() { taskset -c $work_core "$@"; }
on_client_core() { taskset -c $client_core "$@"; }

full=$([ $quick = yes ] && echo no || echo yes)
count() { if [ $full = yes ]; then echo "$1"; else echo "$2"; fi; }  # FULL QUICK
have() { [ -x "$bin/$1" ]; }
wanted() { [ "$only" = all ] || [[ ,$only, == *,$1,* ]]; }
field() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p"; }
# note SERIES VALUE: one measured value of this pair.
note() { echo "$1,$pair,$2" >>"$raw"; }
# in_turn A B...: every other pair the other way round, so that neither side always goes first.
in_turn() {
  local order=("$@") i
  for ((i = 0; i < $#; ++i)); do
    if ((pair % 2)); then ${order[$i]}; else ${order[$# - 1 - i]}; fi
  done
}

# Training in process; of ours and the float peers, samples a second of processor time.
train_ours() { # ROWS SAMPLES SERIES
  note "$3" "$(on_work_core "$bin/train_throughput" --samples "$2" "$images" "$labels" pocketnn/mnist-mlp "$1" | field cpu_samples_per_second)"
}
train_peer() { # PROGRAM ROWS SAMPLES SERIES
  if ! have "$1"; then return; fi
  note "$4" "$(on_work_core "$bin/$1" "$images" "$labels" "$2" "$3" | field cpu_samples_per_second)"
}
train_b20_ours() { train_ours 20 "$(count 300000 20000)" train_b20_ours; }
train_b20_lean() { train_peer lean_float_trainer 20 "$(count 300000 20000)" train_b20_lean; }
train_b20_libtorch() { train_peer libtorch_trainer 20 "$(count 120000 10000)" train_b20_libtorch; }
train_b1_ours() { train_ours 1 "$(count 60000 2000)" train_b1_ours; }
train_b1_lean() { train_peer lean_float_trainer 1 "$(count 60000 2000)" train_b1_lean; }
measure_training() {
  in_turn train_b20_ours train_b20_lean train_b20_libtorch
  in_turn train_b1_ours train_b1_lean
}

# Convolutional networks at 64 rows: niti/lenet on MNIST, and a VGG on CIFAR-10 where that is there.
cifar=$(ls "${data%/mnist}"/cifar-10/data_batch_1.bin* 2>/dev/null | head -n 1 || true)
train_network() { # SERIES PROGRAM IMAGES LABELS NETWORK ROWS SAMPLES: the arguments of the program
  local series=$1 program=$2
  shift 2
  if ! have "$program"; then return; fi
  note "$series" "$(on_work_core "$bin/$program" "$@" | field cpu_samples_per_second)"
}
lenet_samples=$(count 12800 640) vgg_samples=$(count 640 64)
lenet_ours() { train_network lenet_ours train_throughput --samples "$lenet_samples" "$images" "$labels" niti/lenet 64; }
lenet_torch() { train_network lenet_torch libtorch_image_trainer "$images" "$labels" lenet 64 "$lenet_samples"; }
vgg_ours() { train_network vgg_ours train_throughput --samples "$vgg_samples" "$cifar" - tests/bench/vgg.yaml 64; }
vgg_torch() { train_network vgg_torch libtorch_image_trainer "$cifar" - vgg 64 "$vgg_samples"; }
measure_convolution() {
  in_turn lenet_ours lenet_torch
  if [ -n "$cifar" ]; then in_turn vgg_ours vgg_torch; fi
}

# One row in process, nanoseconds of processor time.
infer_ours() {
  note infer_ours "$(on_work_core "$bin/predict_throughput" "$images" "$labels" 1 "$(count 200000 5000)" | field ns_per_row)"
}
infer_torchscript() {
  if ! have torchscript_inference; then return; fi
  note infer_torchscript "$(on_work_core "$bin/torchscript_inference" "$images" "$labels" "$(count 60000 3000)" | field ns_per_row)"
}
measure_inference() { in_turn infer_ours infer_torchscript; }

# Two threads against one, by wall time: the only measure that needs two quiet cores.
train_threads() { # THREADS
  note "threads_$1" "$("$bin/train_throughput" --threads "$1" --samples "$(count 600000 20000)" "$images" "$labels" pocketnn/mnist-mlp 64 | field samples_per_second)"
}
threads_1() { train_threads 1; }
threads_2() { train_threads 2; }
measure_threads() {
  if ((cores < 2)); then return; fi
  in_turn threads_1 threads_2
}

server=unix:$sockets/tallyd.sock echo_server=unix:$sockets/echo.sock
start_daemon() { # a fresh one, with one model: mini-batches of 20, as in process
  rm -rf "$work/state"
  printf 'version: 1\nstate_dir: %s\nlisten: {unix: %s}\ndrain: {delay: 0 s}\n' "$work/state" "$sockets/tallyd.sock" >"$work/tallyd.yaml"
  taskset -c $work_core "$bin/tallyd" --config "$work/tallyd.yaml" 2>"$work/tallyd.log" &
  daemon=$!
  until "$bin/tally" --server "$server" status >/dev/null 2>&1; do
    kill -0 $daemon 2>/dev/null || { cat "$work/tallyd.log" >&2; exit 70; }
    sleep 0.02
  done
  "$bin/train_throughput" --print-spec "$images" "$labels" pocketnn/mnist-mlp 20 >"$work/spec.yaml"
  "$bin/tally" --server "$server" create digits --spec "$work/spec.yaml" >/dev/null
}
stop_daemon() { stop "$daemon"; daemon=''; }
start_echo() { # [OPTION]
  taskset -c $work_core "$bin/echo_server" "$@" "$echo_server" >"$work/echo.log" &
  echo_pid=$!
  until grep -q ready "$work/echo.log"; do kill -0 $echo_pid; sleep 0.02; done
}
stop_echo() { stop "$echo_pid"; echo_pid=''; }

# Streamed, durable, against the same training in process: nanoseconds of processor time a sample.
stream_daemon() {
  local result
  result=$(on_client_core "$bin/stream_throughput" --server-pid "$daemon" "$server" digits "$images" "$labels" "$rows" "$(count 180000 10000)")
  note "stream_${rows}_daemon" "$(field server_cpu_ns_per_sample <<<"$result")"
  note "stream_${rows}_wall" "$(field samples_per_second <<<"$result")"
}
# What of it the journal, the audit chain and the socket cost by themselves.
stream_floor() {
  local result
  rm -rf "$work/floor"
  result=$(on_work_core "$bin/stream_floor" "$client_core" "$work/floor" "$images" "$labels" 20 "$rows" "$(count 180000 10000)")
  note "stream_${rows}_floor" "$(field cpu_ns_per_sample <<<"$result")"
}
stream_in_process() { train_ours 20 "$(count 180000 10000)" "stream_${rows}_in_process"; }
measure_stream() {
  start_daemon
  for rows in 20 64 256; do in_turn stream_in_process stream_daemon stream_floor; done
  stop_daemon
}

# The hosting layer with a real disk, and with one that is free.
journal() { # WHERE SERIES
  local result
  result=$(on_work_core "$bin/journal_cost" "$1" "$images" "$labels" 20 64 "$(count 180000 10000)")
  note "$2_cpu" "$(field cpu_ns_per_sample <<<"$result")"
  note "$2_wall" "$(field wall_ns_per_sample <<<"$result")"
}
journal_disk() { rm -rf "$work/journal"; journal "posix:$work/journal" journal_disk; }
journal_memory() { journal memory journal_memory; }
measure_journal() { in_turn journal_disk journal_memory; }

# One-row ModelInfer of tallyd and of a server that does nothing, with callbacks and with a completion queue.
rpc() { # ADDRESS PID SERIES
  local result
  result=$(on_client_core "$bin/infer_latency" --server-pid "$2" "$1" digits 784 "$(count 10000 500)")
  note "$3_cpu" "$(field server_cpu_ns_per_call <<<"$result")"
  note "$3_p50" "$(field p50_ns <<<"$result")"
}
rpc_ours() { rpc "$server" "$daemon" rpc_ours; }
rpc_echo() { start_echo; rpc "$echo_server" "$echo_pid" rpc_echo; stop_echo; }
rpc_queue() { start_echo --completion-queue; rpc "$echo_server" "$echo_pid" rpc_queue; stop_echo; }
measure_rpc() {
  start_daemon
  in_turn rpc_ours rpc_echo rpc_queue
  stop_daemon
}

# One-row ModelInfer of a daemon that trains as fast as it can, and of the same one at rest: the 99th percentile.
latency() { note "$1" "$(on_client_core "$bin/infer_latency" "$server" digits 784 "$(count 5000 500)" | field p99_us)"; }
latency_idle() { latency p99_idle; }
latency_training() {
  local stream
  taskset -c $client_core "$bin/stream_throughput" "$server" digits "$images" "$labels" 64 1000000000 >/dev/null 2>&1 &
  stream=$!
  sleep 0.3
  latency p99_training
  kill $stream || { echo "$0: training ended before the calls that it should be beside" >&2; exit 70; }
  wait $stream 2>/dev/null || true
  # A short stream ends with a flush, which returns when all that the killed one left is trained.
  on_client_core "$bin/stream_throughput" "$server" digits "$images" "$labels" 64 64 >/dev/null
}
measure_latency() {
  start_daemon
  in_turn latency_idle latency_training
  stop_daemon
}

# Resident memory: idle after a hundred calls; and the peak of a fresh daemon under eight clients.
status_kib() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"; }
# Not VmRSS, which some kernels keep up to 64 pages of each thread out of.
rss_kib() { awk '$1 == "Rss:" { print $2 }' "/proc/$1/smaps_rollup"; }
measure_memory() {
  start_daemon
  start_echo
  on_client_core "$bin/infer_latency" "$server" digits 784 100 >/dev/null
  on_client_core "$bin/infer_latency" "$echo_server" digits 784 100 >/dev/null
  note rss_ours "$(rss_kib "$daemon")"
  note rss_echo "$(rss_kib "$echo_pid")"
  stop_echo
  on_client_core "$bin/stream_throughput" --clients 8 "$server" digits "$images" "$labels" 256 "$(count 30000 2000)" >/dev/null
  note peak_rss "$(status_kib "$daemon" VmHWM)"
  stop_daemon
}

begin_load=$(cut -d ' ' -f 1-3 /proc/loadavg)
for ((pair = 1; pair <= pairs; ++pair)); do
  for name in training convolution inference threads stream journal rpc latency memory; do
    if ! wanted $name; then continue; fi
    echo "pair $pair of $pairs: $name" >&2
    measure_$name
  done
done
if wanted kernels && have kernels_bench; then
  echo "kernels" >&2
  on_work_core "$bin/kernels_bench" --json | tail -n 1 >"$work/kernels.json"
fi

[ -z "$out" ] || mkdir -p "$out"
/usr/bin/python3 tests/bench/report.py --raw "$raw" --kernels "$work/kernels.json" --pairs "$pairs" \
  --load "$begin_load" ${out:+--out "$out"}
