#!/usr/bin/env bash
# The main job on real samples: a daemon learns digits over gRPC, is killed in the middle, and forgets nothing.
#
#   deploy/demo.sh [--data DIR]
#
# DIR holds MNIST-like IDX files. Without it $TALLY_DATA_DIR/mnist is used if it exists, otherwise digits drawn by a
# built-in generator. Two daemons learn the same samples: one undisturbed, one killed with SIGKILL in
# mid-training and restarted. The last line is a JSON summary; the exit status is 0 only if both have the
# same digest.
set -euo pipefail
cd "$(dirname "$0")/.."

data=
while [ $# -gt 0 ]; do
  case "$1" in
    --data) data=${2:?--data needs a folder}; shift 2 ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
  esac
done
if [ -z "$data" ] && [ -d "${TALLY_DATA_DIR:-/nonexistent}/mnist" ]; then data=$TALLY_DATA_DIR/mnist; fi

deploy/install-deps.sh build
echo "Building (the first time takes some minutes) ..."
cmake --preset release >/dev/null
cmake --build build/release --target tallyd tally | tail -n 1
bin=$PWD/build/release/bin

work=$(mktemp -d)
daemon=
trap '[ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null || true; rm -rf "$work"' EXIT
epochs=3
origin=$data
if [ -z "$data" ]; then
  echo "No data set given: drawing digits."
  data=$work/digits
  origin=generated
  epochs=6
  "$bin/tally" synth --out "$data" --train 20000 --test 5000 --seed 1
fi

# start NAME: a daemon with its own state directory; sets $daemon and $server.
start() {
  cat >"$work/$1.yaml" <<END
version: 1
state_dir: $work/$1
listen:
  unix: $work/$1.sock
END
  server=unix:$work/$1.sock
  "$bin/tallyd" --config "$work/$1.yaml" 2>>"$work/$1.log" &
  daemon=$!
  for _ in $(seq 600); do
    if "$bin/tally" --server "$server" status >/dev/null 2>&1; then return 0; fi
    kill -0 "$daemon" 2>/dev/null || break
    sleep 0.1
  done
  echo "tallyd did not come up:" >&2
  cat "$work/$1.log" >&2
  exit 1
}
stop() {
  kill -TERM "$daemon"
  wait "$daemon"
  daemon=
}
remote() { local command=$1; shift; "$bin/tally" --server "$server" "$command" "$@"; }
number() { sed -n "s/.*\"$1\": *\"\{0,1\}\([0-9]*\).*/\1/p" | head -n 1; }
text() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1; }
accuracy() {  # "9484 10000" -> 94.84 %
  echo "$1 $2" | awk '{ p = int($1 * 10000 / $2); printf "%d.%02d %%", p / 100, p % 100 }'
}
evaluate() { remote evaluate digits --data "$data" --json 2>/dev/null | tail -n 1; }
digest() { remote digest digits --json 2>/dev/null | tail -n 1; }
train() { remote train digits --data "$data" --epochs "$epochs" --source demo --json "$@"; }

echo
echo "1. A daemon learns undisturbed: $epochs passes over $data"
start undisturbed
remote create digits --zoo pocketnn/mnist-mlp >/dev/null
train >"$work/train.out" 2>"$work/train.err" &
trainer=$!
rising=()
while kill -0 "$trainer" 2>/dev/null; do
  sleep 1
  if result=$(evaluate); then
    correct=$(number test_correct <<<"$result") total=$(number test_total <<<"$result")
    echo "   test accuracy while it learns: $(accuracy "$correct" "$total")"
    rising+=("$correct")
  fi
done
wait "$trainer" || { cat "$work/train.out" "$work/train.err" >&2; exit 1; }
result=$(evaluate)
test_correct=$(number test_correct <<<"$result") test_total=$(number test_total <<<"$result")
speed=$(tail -n 1 "$work/train.out" | number samples_per_second)
expected=$(digest | text digest)
echo "   final test accuracy: $(accuracy "$test_correct" "$test_total"), $speed samples/s, digest ${expected:0:16}..."
stop

echo
echo "2. A second daemon learns the same samples and is killed in the middle"
start interrupted
remote create digits --zoo pocketnn/mnist-mlp >/dev/null
train >"$work/train2.out" 2>"$work/train2.err" &
trainer=$!
trained=0
for _ in $(seq 3000); do
  trained=$(digest | number step)
  [ "${trained:-0}" -gt 700 ] && break
  kill -0 "$trainer" 2>/dev/null || break
  sleep 0.02
done
kill -0 "$trainer" 2>/dev/null || { echo "the training ended before the daemon could be killed" >&2; exit 1; }
kill -9 "$daemon"
wait "$daemon" 2>/dev/null || true
echo "   SIGKILL after $trained mini-batches; the client keeps what was not acknowledged and waits"
start interrupted
recovered=$(digest | number step)
echo "   restarted: recovered and going on at mini-batch $recovered"
wait "$trainer" || { cat "$work/train2.out" "$work/train2.err" >&2; exit 1; }
actual=$(digest | text digest)
result=$(evaluate)
correct=$(number test_correct <<<"$result")
echo "   final test accuracy: $(accuracy "$correct" "$test_total"), digest ${actual:0:16}..."
stop

equal=false
[ -n "$expected" ] && [ "$expected" = "$actual" ] && equal=true
first=${rising[0]:-0}
echo
[ "$equal" = true ] && echo "The digests are equal: nothing was lost and nothing was learnt twice." ||
  echo "THE DIGESTS DIFFER" >&2
printf '{"data":"%s","epochs":%d,"first_test_correct":%d,"test_correct":%d,"test_total":%d,"samples_per_second":%d,' \
  "$origin" "$epochs" "$first" "$test_correct" "$test_total" "${speed:-0}"
printf '"killed_at_step":%d,"digest":"%s","digest_after_kill":"%s","digests_equal":%s}\n' \
  "$trained" "$expected" "$actual" "$equal"
[ "$equal" = true ]
