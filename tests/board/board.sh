# An emulated board: to be sourced. Needs $arch, $image (vmlinuz, initrd), $disk, $work and $tally.
#
# Its network reaches the host's loopback only in the direction host -> board: three ports are forwarded, and
# restrict=on keeps everything else in.

board_pid=
read -r port shell_port echo_port < <(/usr/bin/python3 - <<'PY'
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(s.getsockname()[1] for s in sockets))
PY
)
server=127.0.0.1:$port

board_start() {
  local program machine
  case $arch in
    arm64) program=qemu-system-aarch64 machine="-M virt -cpu cortex-a53" ;;
    armhf) program=qemu-system-arm machine="-M virt,highmem=off -cpu cortex-a15" ;;
  esac
  local forward=
  forward+=,hostfwd=tcp:127.0.0.1:$port-:50051
  forward+=,hostfwd=tcp:127.0.0.1:$shell_port-:50050
  forward+=,hostfwd=tcp:127.0.0.1:$echo_port-:50052
  # shellcheck disable=SC2086
  $program $machine -smp 2 -m 512 -no-reboot -kernel "$image/vmlinuz" -initrd "$image/initrd" \
    -append "console=ttyAMA0 rw panic=1 loglevel=4 systemd.mask=serial-getty@ttyAMA0.service" \
    -drive "file=$disk,if=none,id=disk,format=raw,cache=writeback" -device virtio-blk-pci,drive=disk \
    -netdev "user,id=net,restrict=on$forward" -device virtio-net-pci,netdev=net,romfile= \
    -device virtio-rng-pci -display none -monitor none -serial "file:$work/serial.log" >"$work/qemu.log" 2>&1 &
  board_pid=$!
}

# The plug is pulled: what was in the board's memory is gone.
board_cut() {
  [ -n "$board_pid" ] || return 0
  kill -9 "$board_pid" 2>/dev/null || true
  wait "$board_pid" 2>/dev/null || true
  board_pid=
}

# board_wait SECONDS WHAT COMMAND...: repeats the command until it succeeds.
board_wait() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    kill -0 "$board_pid" 2>/dev/null || { board_complain "the emulator ended"; return 1; }
    [ $SECONDS -lt $deadline ] || { board_complain "waited in vain for $what"; return 1; }
    sleep 0.5
  done
}
board_complain() {
  echo "board: $1; the last lines of its console:" >&2
  tail -n 25 "$work/serial.log" "$work/qemu.log" >&2 || true
}

board_ready() { "$tally" --server "$server" status --json --timeout 5 | grep -q '"ready": *true'; }

# The emulator takes connections before the board does, so that only an answer counts.
board_shell_up() { [ "$(board_run 'echo up')" = up ]; }

# board_run COMMAND: runs it in the board's shell and prints what it says.
board_run() {
  local channel line
  { exec {channel}<>"/dev/tcp/127.0.0.1/$shell_port"; } 2>/dev/null || return 1
  printf '%s\nexit\n' "$1" >&"$channel"
  while IFS= read -r -u "$channel" line; do printf '%s\n' "$line"; done
  exec {channel}>&-
}
