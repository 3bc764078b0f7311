#!/usr/bin/env bash
# A day in the life of a board: tallyd under real systemd on an emulated ARM computer learns digits from a client on the
# host, while its power is cut again and again. Checks that
#   - the client's training goes on after every cut, and the final digest is that of an uninterrupted training on this
#     host: no sample lost, none learnt twice, the same bits on both machines;
#   - the watchdog restarts a daemon that hangs;
#   - the service's sandbox is on;
# and reports start-up, peak memory, and resident memory beside a gRPC server that only answers.
#
#   tests/board/run.sh [arm64|armhf]
#
# Needs root for the image (make-image.sh). TALLY_DATA_DIR as in tests/run.sh; without MNIST the digits are drawn. CUTS
# is the number of power cuts (5). Cutting the power here is SIGKILL for the emulator: what the board had not
# written to its disk is gone; a card that lies about what it has written is not emulated.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
arch=${1:-arm64}
case $arch in
  arm64 | armhf) ;;
  *) sed -n '2,16s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac
cuts=${CUTS:-5}
epochs=3  # enough for the training to last until the last cut
export PATH=/usr/bin:/bin:/usr/sbin:/sbin:$PATH

deploy/install-deps.sh build board
image=$root/build/board/$arch
recipe=$(cat tests/board/make-image.sh tests/board/image/init | sha256sum | cut -c1-16)
if [ "$(cat "$image/recipe" 2>/dev/null)" != "$recipe" ]; then
  echo "== image of Debian for $arch"
  tests/board/make-image.sh "$arch" "$image" >"$root/build/board/$arch.log" 2>&1 ||
    { tail "$root/build/board/$arch.log" >&2; exit 1; }
  echo "$recipe" >"$image/recipe"
fi
echo "== programs for $arch and for this host"
deploy/cross/build.sh "$arch"
cmake "build/cross/$arch/objects" -DTALLY_BUILD_BENCHMARKS=ON >/dev/null
cmake --build "build/cross/$arch/objects" --target echo_server | tail -n 1
cmake --preset dev >/dev/null
cmake --build build/dev --target tally infer_latency | tail -n 1
tally=$root/build/dev/bin/tally

work=$(mktemp -d)
disk=$work/disk.ext4
source tests/board/board.sh
trainer=
trap 'board_cut; [ -z "$trainer" ] || kill "$trainer" 2>/dev/null || true; rm -rf "$work"' EXIT
tests/board/install.sh "$arch" "$image" "$disk"

data=${TALLY_DATA_DIR:-$root/../shared/data}/mnist
if [ ! -d "$data" ]; then
  data=$work/digits
  "$tally" synth --out "$data" --train 20000 --test 1000 --seed 1
fi
remote() { local command=$1; shift; "$tally" --server "$server" "$command" "$@"; }
number() { sed -n "s/.*\"$1\": *\"\{0,1\}\([0-9]*\).*/\1/p" | head -n 1; }
text() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1; }
# Mini-batches learnt: so far, and when all samples that the board has taken by now are learnt.
progress() { remote models --json --timeout 20 2>/dev/null | tail -n 1 | number step; }
step() { remote digest digits --json --timeout 120 2>/dev/null | tail -n 1 | number step; }
fail() { echo "board test: $1" >&2; exit 1; }

echo "== the uninterrupted training, on this host"
"$tally" fit pocketnn/mnist-mlp --data "$data" --epochs "$epochs" --json 2>/dev/null | tail -n 1 >"$work/fit"
expected=$(text digest <"$work/fit") total=$(number step <"$work/fit") correct=$(number test_correct <"$work/fit")
echo "$total mini-batches, $correct test digits right, digest $expected"

boot() {
  local begin=$SECONDS
  board_start
  board_wait 900 "tallyd" board_ready
  board_wait 300 "the shell" board_shell_up
  echo "up after $((SECONDS - begin)) s"
}

echo "== first boot"
boot
remote create digits --zoo pocketnn/mnist-mlp >/dev/null
remote train digits --data "$data" --epochs "$epochs" --source board --json >"$work/train.out" 2>"$work/train.err" &
trainer=$!

for cut in $(seq "$cuts"); do
  goal=$((total * 4 * cut / (5 * cuts)))
  until now=$(progress) && [ "${now:-0}" -ge "$goal" ]; do
    kill -0 "$trainer" 2>/dev/null || { cat "$work/train.err" >&2; fail "the training ended before cut $cut"; }
    sleep 0.2
  done
  [ "$now" -lt "$total" ] || fail "the training was over before cut $cut"
  board_cut
  echo "== power cut $cut at mini-batch $now or a little later"
  boot
  recovered() { now=$(step); }
  board_wait 600 "the model" recovered
  echo "recovered at mini-batch $now"
  [ "$now" -ge 1 ] || fail "everything was lost"
done
wait "$trainer" || { cat "$work/train.out" "$work/train.err" >&2; fail "the training failed"; }
trainer=
interruptions=$(tail -n 1 "$work/train.out" | number interruptions)
actual=$(remote digest digits --json | tail -n 1 | text digest)
echo "== trained to the end; the client was interrupted ${interruptions:-0} times; digest $actual"
[ "$actual" = "$expected" ] || fail "the digest is not that of the uninterrupted training, $expected"
[ "${interruptions:-0}" -ge "$cuts" ] || fail "the client saw fewer interruptions than there were cuts"
evaluated=$(remote evaluate digits --data "$data" --json 2>/dev/null | tail -n 1 | number test_correct)
[ "$evaluated" = "$correct" ] || fail "$evaluated test digits right instead of $correct"
remote predict digits --images "$data/t10k-images-idx3-ubyte"* --count 3 2>/dev/null || true

echo "== memory after 10,000 inferences, beside a bare gRPC server"
board_run "systemctl start board-echo" >/dev/null
build/dev/bin/infer_latency "127.0.0.1:$port" digits 784 10000 >/dev/null
board_wait 120 "the echo server" build/dev/bin/infer_latency "127.0.0.1:$echo_port" digits 784 1
build/dev/bin/infer_latency "127.0.0.1:$echo_port" digits 784 10000 >/dev/null
board_run '
pid() { systemctl show -p MainPID --value $1; }
for unit in tallyd board-echo; do
  # Not VmRSS: the kernel keeps up to 64 pages of each thread out of it.
  grep -E "^(Rss|Pss_Anon|Pss_File):" /proc/$(pid $unit)/smaps_rollup | tr -s " " | sed "s/^/$unit /"
  grep -E "^(VmHWM|Threads):" /proc/$(pid $unit)/status | tr -s "\t" " " | sed "s/^/$unit /"
done
echo tallyd MemoryPeak: $(cat /sys/fs/cgroup/system.slice/tallyd.service/memory.peak) bytes
systemctl show -p ExecMainStartTimestampMonotonic -p ActiveEnterTimestampMonotonic tallyd
echo seccomp $(sed -n "s/^Seccomp:\t//p" /proc/$(pid tallyd)/status) user $(stat -c %U /proc/$(pid tallyd))
stat -c "socket %a %U:%G" /run/tally/tallyd.sock
systemctl stop board-echo' >"$work/report"
cat "$work/report"
grep -q '^seccomp 2 ' "$work/report" || fail "the service runs without its system call filter"
grep -q '^socket 660 root:tally' "$work/report" || fail "the Unix socket has not the mode or group of its unit"
rss() { sed -n "s/^$1 Rss: *\([0-9]*\) kB/\1/p" "$work/report"; }
echo "tallyd $(rss tallyd) KiB, bare server $(rss board-echo) KiB, difference $(($(rss tallyd) - $(rss board-echo))) KiB"
awk -F= '/ExecMainStart/ { a = $2 } /ActiveEnter/ { b = $2 }
  END { printf "start to ready, recovery included: %d ms\n", (b - a) / 1000 }' "$work/report"

echo "== a daemon that hangs"
main_pid() { board_run 'systemctl show -p MainPID --value tallyd'; }
before=$(main_pid)
board_run "kill -STOP $before"
restarted() { local now; now=$(main_pid); [ "$now" != "$before" ] && [ "${now:-0}" != 0 ] && board_ready; }
board_wait 600 "the watchdog" restarted
board_run 'journalctl -u tallyd -o cat --no-pager | grep -i watchdog | head -3' | tee "$work/watchdog"
grep -qi 'watchdog timeout' "$work/watchdog" || fail "the daemon came back, but not by the watchdog"
[ "$(remote digest digits --wait 60 --json | tail -n 1 | text digest)" = "$expected" ] || fail "the digest changed"

echo "board test passed: $arch, $cuts power cuts, digest $expected"
