# shellcheck shell=bash disable=SC2034,SC2154  # live/run sets and reads these variables
# The servers that are built from source or from jars: kube, s3, opensearch, sqs. What is built is
# kept between runs, outside the checkout, by the hash of what it is built from. Read by live/run.

readonly build_wait_s=3600 kept_days=30
readonly go_min=1.26.1 opensearch_jdk_min=21 sqs_jdk_min=17
declare -A kept=()   # by server name: the folder of its programs
java_home=""         # what `find_jdk` found
s3_access_key="" s3_secret_key=""

# Sets kept[NAME], after building it if it is not there: NEED says what the build needs and is only
# asked then, the program FOLDER/build builds, and the FILEs of FOLDER are what it depends on.
keep() { # NAME NEED FOLDER HOW_LONG FILE...
  local name=$1 need=$2 from=$here/$3 how_long=$4 hash dir
  shift 4
  hash=$({ uname -sm; cd "$from" && sha256sum -- build "$@"; } | sha256sum | cut -c 1-16)
  dir=$cache/$name/$hash
  kept[$name]=$dir
  if ! [ -e "$dir" ]; then
    "$need" "$name" || return 1
    mkdir -p "$cache/$name" 2>/dev/null && [ -w "$cache/$name" ] ||
      { cannot "$name" "$cache cannot be written to, choose another folder with: XDG_CACHE_HOME=FOLDER live/run"; return 1; }
    exec 9>"$cache/$name/.lock"
    flock --nonblock 9 || say "$name: another run is building it; waiting"
    if ! step flock --timeout "$build_wait_s" 9; then
      cannot "$name" "$cache/$name/.lock: held by another run for an hour"
    elif ! [ -e "$dir" ]; then
      say "$name: building, once; takes about $how_long"
      build "$name" "$from/build" "$dir"
    fi
    exec 9>&-
  fi
  [ -e "$dir" ] || return 1
  touch "$dir"
}

build() { # NAME PROGRAM FOLDER: it appears complete or not at all
  local started=$SECONDS
  rm -rf "$3.new"
  mkdir "$3.new"
  # shellcheck disable=SC2015  # a failed rename is a failed build
  if JAVA_HOME=$java_home step "$2" "$3.new" </dev/null >>"$state/$1.log" 2>&1 && mv "$3.new" "$3"; then
    say "$1: built in $((SECONDS - started)) s"
    find "$cache/$1" -mindepth 1 -maxdepth 1 -type d -mtime "+$kept_days" -exec rm -rf {} +
  else
    rm -rf "$3.new"
    tail -n 20 "$state/$1.log" >&2
    cannot "$1" "could not be built (see above), mend that and run live/run again"
  fi
}

at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; } # VERSION MINIMUM

need_go() { # NAME
  local found=missing arch
  ! command -v go >/dev/null || found=$(GOTOOLCHAIN=local go env GOVERSION 2>&1)
  ! at_least "${found#go}" "$go_min" || [ "$found" = missing ] || return 0
  arch=$(uname -m)
  arch=${arch/x86_64/amd64} arch=${arch/aarch64/arm64}
  cannot "$1" "needs Go $go_min or newer ($found), install with: curl -fsSL https://go.dev/dl/go$go_min.linux-$arch.tar.gz | tar -C /usr/local -xz, and put /usr/local/go/bin into PATH"
}

# Sets `java_home` to the newest JDK of this machine, which must be MINIMUM or newer.
find_jdk() { # NAME MINIMUM
  local dir found best=0
  local candidates=("${JAVA_HOME:-}" "${JDK_HOME:-}" /usr/lib/jvm/* /opt/java/* /opt/jdk*)
  found=$(command -v javac) && candidates+=("$(dirname "$(dirname "$(readlink -f "$found")")")")
  java_home=""
  for dir in "${candidates[@]}"; do
    if ! [ -x "$dir/bin/java" ] || ! [ -x "$dir/bin/javac" ]; then continue; fi
    found=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$dir/release" 2>/dev/null)
    if [ "${found:-0}" -gt "$best" ]; then best=$found java_home=$dir; fi
  done
  [ "$best" -lt "$2" ] || return 0
  [ "$best" -gt 0 ] && found="found $best" || found=missing
  cannot "$1" "needs a JDK $2 or newer ($found), install with: apt-get install openjdk-$2-jdk-headless, or set JAVA_HOME"
}

need_maven() { # NAME
  ! command -v mvn >/dev/null || return 0
  cannot "$1" "needs Maven to be built, install with: apt-get install maven"
}

pom_version() { sed -n "/<artifactId>$2</,/<\/dependency>/ s/.*<version>\([0-9.]*\)<.*/\1/p" "$here/$1/pom.xml" | head -n 1; } # FOLDER ARTIFACT
go_version() { sed -n "s|^\(require \)\?[[:space:]]*$2 v\([^ ]*\).*|\2|p" "$here/$1/go.mod" | head -n 1; }                  # FOLDER MODULE

# --- opensearch ---------------------------------------------------------------------------------

prepare_opensearch() {
  find_jdk opensearch "$opensearch_jdk_min" || return 1
  keep opensearch need_maven opensearch '30 s' pom.xml jars.sha256 Main.java log4j2.properties || return 1
  version[opensearch]=$(sed -n 's/.*<opensearch.version>\(.*\)<.*/\1/p' "$here/opensearch/pom.xml")
  opensearch_java=$java_home/bin/java
  # For tests that need a node with settings of its own.
  wrapper "$state/opensearch/node" "$here/opensearch/node" "$opensearch_java" "${kept[opensearch]}" "$state/opensearch/nodes"
}

start_opensearch() {
  launch env -i PATH="$PATH" LANG=C.UTF-8 "$here/opensearch/node" "$opensearch_java" "${kept[opensearch]}" "$state/opensearch/main" \
    http.port="$1" http.max_content_length=20mb
}

# Its port answers before its shards do.
ready_opensearch() { answers "${port[opensearch]}" '/_cluster/health?wait_for_status=yellow&timeout=1s'; }

# --- sqs ----------------------------------------------------------------------------------------

prepare_sqs() {
  find_jdk sqs "$sqs_jdk_min" || return 1
  keep sqs need_maven elasticmq '15 s' pom.xml jars.sha256 || return 1
  version[sqs]=$(pom_version elasticmq elasticmq-server_2.13)
  sqs_java=$java_home/bin/java
}

start_sqs() {
  launch env -i PATH="$PATH" LANG=C.UTF-8 "$sqs_java" -Xmx256m -XX:TieredStopAtLevel=1 -Djava.net.preferIPv4Stack=true \
    -Djava.io.tmpdir="$state/sqs" -Dconfig.file="$here/elasticmq/elasticmq.conf" -Dlive.port="$1" \
    -cp "${kept[sqs]}/jars/*" org.elasticmq.server.Main
}

ready_sqs() { answers "${port[sqs]}" /health; }

# --- s3 -----------------------------------------------------------------------------------------

prepare_s3() {
  keep s3 need_go s3 'a minute' go.mod go.sum || return 1
  version[s3]=$(go_version s3 github.com/versity/versitygw)
  s3_access_key=live$(random_hex) s3_secret_key=$(random_hex)
}

start_s3() {
  mkdir -p "$state/s3/data" "$state/s3/versions"
  launch env -i PATH="$PATH" ROOT_ACCESS_KEY="$s3_access_key" ROOT_SECRET_KEY="$s3_secret_key" \
    "${kept[s3]}/versitygw" --port "127.0.0.1:$1" --region eu-west-1 --health /health --quiet \
    posix --versioning-dir "$state/s3/versions" "$state/s3/data"
}

ready_s3() { answers "${port[s3]}" /health; }
