# shellcheck shell=bash disable=SC2034,SC2154  # live/run sets and reads these variables
# Kubernetes with Argo Rollouts. Read by live/run.

prepare_kube() {
  local files=()
  mapfile -t files < <(cd "$here/kube" && printf '%s\n' go.mod go.sum ./*/*.go)
  keep kube need_go kube '10 minutes on two cores' "${files[@]}" || return 1
  version[kube]="$(go_version kube k8s.io/kubernetes), Argo Rollouts $(go_version kube github.com/argoproj/argo-rollouts)"
  wrapper "$state/kube-control" "$here/kube/control" "${kept[kube]}" "$state/kube"
}

# The CloudWatch provider of analysis runs asks the aws server, which is ready by now if it runs.
start_kube() {
  local aws=()
  [ -z "${pid[aws]:-}" ] || aws=(AWS_ENDPOINT_URL="http://127.0.0.1:${port[aws]}")
  port[etcd]=$(free_port)
  port[etcd_peer]=$(free_port)
  rm -rf "$state/kube"
  mkdir "$state/kube"
  launch env -i PATH="$PATH" HOME="$state/kube" TMPDIR="$state/kube" LANG=C.UTF-8 "${dummy_aws[@]}" "${aws[@]}" \
    "$here/kube/cluster" "${kept[kube]}" "$state/kube" "$1" "${port[etcd]}" "${port[etcd_peer]}"
}

ready_kube() { [ -e "$state/kube/ready" ]; }

# Connections tell nothing: the cluster's own programs open them too. The audit log leaves those out.
used_kube() { grep -o '"auditID":"[^"]*"' "$state/kube/audit.log" 2>/dev/null | sort -u | wc -l; }
