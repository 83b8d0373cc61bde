# shellcheck shell=bash disable=SC2034,SC2154  # live/run sets and reads these variables
# Processes that die with live/run, however it dies. Read by live/run.

launched=""   # the id of what `launch` started last
step_pid=""   # the id of what `step` waits for

# Puts a command in the background as a session of its own that the kernel kills with this script;
# `launched` holds its id. A background command would ignore INT and QUIT: put those right.
launch() {
  (trap - INT QUIT; exec setsid setpriv --pdeathsig KILL -- "$@") <&0 &
  launched=$!
}

# Runs a command to its end in a way that leaves the signal traps awake meanwhile.
step() {
  local code=0
  launch "$@"
  step_pid=$launched
  wait "$step_pid" || code=$?
  step_pid=""
  return "$code"
}

alive() { kill -0 "$1" 2>/dev/null; }

# Ends process groups, politely first. A group outlives its leader while any member lives. Bash forgets them before,
# so that it neither tells of their end nor waits for it: after a Ctrl-C it may wait for ever for one that is gone.
stop_groups() {
  disown "$@" 2>/dev/null || true
  signal_groups TERM "$@"
  groups_gone $((stop_wait_s * 20)) "$@" || signal_groups KILL "$@"
  groups_gone 20 "$@" || true
}

signal_groups() { # SIGNAL GROUP...
  local signal=$1 group
  shift
  for group in "$@"; do kill "-$signal" -- "-$group" 2>/dev/null || kill "-$signal" "$group" 2>/dev/null || true; done
}

groups_gone() { # TICKS GROUP...: within so many twentieths of a second
  local ticks=$1 tick group left
  shift
  for ((tick = 0; tick < ticks; tick++)); do
    left=no
    for group in "$@"; do ! alive "-$group" || left=yes; done
    [ "$left" = yes ] || return 0
    sleep 0.05
  done
  return 1
}

# A port nobody answers on, below the range that the kernel gives to clients.
free_port() {
  local candidate
  while :; do
    candidate=$((20000 + SRANDOM % 12000))
    [[ " ${port[*]} " == *" $candidate "* ]] || (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null || break
  done
  printf '%s\n' "$candidate"
}

random_hex() { od -An -N 16 -t x1 /dev/urandom | tr -d ' \n'; }
