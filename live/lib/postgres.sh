# shellcheck shell=bash disable=SC2034,SC2154  # live/run sets and reads these variables
# PostgreSQL of this machine. Read by live/run.

readonly uid_when_root=65534   # initdb and postgres refuse root
as_pg=() pg_bin="" pg_password=""

prepare_postgres() {
  [ "$(id -u)" -ne 0 ] || as_pg=(setpriv --reuid "$uid_when_root" --regid "$uid_when_root" --clear-groups --pdeathsig QUIT --)
  find_postgres || return 1
  pg_password=$(random_hex)
  printf '%s\n' "$pg_password" >"$state/postgres/password"
  [ ${#as_pg[@]} -eq 0 ] || chown -R "$uid_when_root:$uid_when_root" "$state/postgres"
  version[postgres]=$("$pg_bin/postgres" --version | grep -oE '[0-9][0-9.]*' | head -n 1)
  "${as_pg[@]}" test -r "$state/postgres/password" && return 0
  cannot postgres "uid $uid_when_root cannot reach $state, choose another folder with: TMPDIR=/tmp live/run"
}

# Sets `pg_bin` to the folder of the newest server that the user it would run as can execute.
find_postgres() {
  local candidates=() dir found=no
  dir=$(command -v postgres) && candidates+=("$(dirname "$(readlink -f "$dir")")")
  dir=$(pg_config --bindir 2>/dev/null) && candidates+=("$dir")
  while IFS= read -r dir; do candidates+=("$dir"); done < <(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV)
  for dir in "${candidates[@]}"; do
    if ! [ -x "$dir/initdb" ] || ! [ -x "$dir/postgres" ]; then continue; fi
    found=$dir
    "${as_pg[@]}" test -x "$dir/initdb" || continue
    pg_bin=$dir
    return 0
  done
  [ "$found" = no ] || { cannot postgres "uid $uid_when_root cannot execute $found/initdb, install with: apt-get install postgresql"; return 1; }
  cannot postgres "missing, install with: apt-get install postgresql"
}

start_postgres() {
  [ -e "$state/postgres/data/PG_VERSION" ] ||
    step "${as_pg[@]}" env -i PATH="$PATH" LC_ALL=C "$pg_bin/initdb" -D "$state/postgres/data" -U postgres -E UTF8 --locale=C \
      -A scram-sha-256 --pwfile "$state/postgres/password" --no-sync || return 0
  launch "${as_pg[@]}" env -i PATH="$PATH" LC_ALL=C "$pg_bin/postgres" -D "$state/postgres/data" -p "$1" \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off
}

ready_postgres() { [[ "$(sed -n 8p "$state/postgres/data/postmaster.pid" 2>/dev/null)" == ready* ]]; }
