{{/*
What a canary is judged by. Every metric of Datadog has the same pair of conditions, and so has every metric
of CloudWatch: good, bad, and neither. Neither is what missing data is: the run ends Inconclusive and the
rollout waits for a human. `default(result, 0) < limit` or `all(result[0].Values, …)` by themselves would
promote a version that nobody measured.

A metric ends after `successes` good measurements in a row, and at the latest after `count`: errors of the
provider cannot add up to a success.
*/}}

{{/* Takes a dict of operator (of the good side), its opposite, and the limit. */}}
{{- define "payops.numberConditions" -}}
successCondition: "!isNil(result) && !isNaN(asFloat(default(result, 0))) && default(result, 0) {{ .good }} {{ .limit }}"
failureCondition: "!isNil(result) && !isNaN(asFloat(default(result, 0))) && default(result, 0) {{ .bad }} {{ .limit }}"
{{- end }}

{{- define "payops.seriesConditions" -}}
successCondition: "len(result) > 0 && len(result[0].Values) > 0 && all(result[0].Values, {# <= {{ .limit }}})"
failureCondition: "len(result) > 0 && len(result[0].Values) > 0 && any(result[0].Values, {# > {{ .limit }}})"
{{- end }}

{{- define "payops.pace" -}}
initialDelay: {{ .initialDelay }}
interval: {{ .interval }}
count: {{ .count }}
consecutiveSuccessLimit: {{ .successes }}
failureLimit: {{ .failures }}
inconclusiveLimit: 2
consecutiveErrorLimit: 4
{{- end }}

{{- define "payops.datadogProvider" -}}
provider:
  datadog:
    apiVersion: v2
    interval: {{ .pace.window }}
    aggregator: {{ .aggregator }}
    secretRef: {name: {{ .root.Values.service }}-datadog, namespaced: true}
    queries:
      {{- range $name, $query := .queries }}
      {{ $name }}: {{ $query | quote }}
      {{- end }}
    formula: {{ .formula | quote }}
{{- end }}

{{/* The tags by which one version of this service is found. Takes a dict of root and arg (canary-hash, stable-hash). */}}
{{- define "payops.version" -}}
service:{{ .root.Values.service }},env:{{ .root.Values.environment }},rollouts_pod_template_hash:{{ printf "{{args.%s}}" .arg }}
{{- end }}

{{- define "payops.analysisHead" -}}
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: {{ .root.Values.service }}-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "payops.labels" .root | nindent 4 }}
{{- end }}

{{- define "payops.analyses" -}}
{{- $root := . -}}
{{- range $name, $analysis := .Values.analysis }}
---
{{ include (printf "payops.analysis.%s" $analysis.kind) (dict "root" $root "name" $name "analysis" $analysis) }}
{{- end }}
{{- end }}

{{/* Latency and errors of requests, and whether there were enough of them to say anything. */}}
{{- define "payops.analysis.requests" -}}
{{- $canary := include "payops.version" (dict "root" .root "arg" "canary-hash") -}}
{{- $pace := .analysis.pace -}}
{{ include "payops.analysisHead" . }}
spec:
  args:
    - name: canary-hash
    - name: stable-hash
    - {name: stable-service, value: ""}
  metrics:
    - name: requests
      {{- include "payops.pace" $pace | nindent 6 }}
      successCondition: "!isNil(result) && !isNaN(asFloat(default(result, 0))) && default(result, 0) >= {{ .analysis.requestsMin }}"
      # Too few requests are no fault of the version: never a failure, and never a pass.
      failureCondition: "false"
      {{- include "payops.datadogProvider" (dict "root" .root "pace" $pace "aggregator" "sum" "formula" "requests" "queries" (dict
            "requests" (printf "sum:payops.http.requests.count{%s}.as_count()" $canary))) | nindent 6 }}
    - name: latency-p95
      {{- include "payops.pace" $pace | nindent 6 }}
      {{- include "payops.numberConditions" (dict "good" "<" "bad" ">=" "limit" .analysis.latencyP95Seconds) | nindent 6 }}
      {{- include "payops.datadogProvider" (dict "root" .root "pace" $pace "aggregator" "percentile" "formula" "latency" "queries" (dict
            "latency" (printf "p95:payops.http.request.duration{%s}" $canary))) | nindent 6 }}
    - name: error-rate
      {{- include "payops.pace" $pace | nindent 6 }}
      {{- include "payops.numberConditions" (dict "good" "<" "bad" ">=" "limit" .analysis.errorRate) | nindent 6 }}
      # Counted from the answers that were none: a version without one error has no series of errors.
      {{- include "payops.datadogProvider" (dict "root" .root "pace" $pace "aggregator" "sum" "formula" "1 - answered / requests" "queries" (dict
            "answered" (printf "sum:payops.http.requests.count{%s,!status:5*}.as_count()" $canary)
            "requests" (printf "sum:payops.http.requests.count{%s}.as_count()" $canary))) | nindent 6 }}
{{- end }}

{{/*
What the business sees: of all that was tried, how much succeeded, as a share of what the stable version
achieves at the same time. Merchants' own mistakes and a provider's bad hour weigh on both.
*/}}
{{- define "payops.analysis.business" -}}
{{- $canary := include "payops.version" (dict "root" .root "arg" "canary-hash") -}}
{{- $stable := include "payops.version" (dict "root" .root "arg" "stable-hash") -}}
{{- $pace := .analysis.pace -}}
{{ include "payops.analysisHead" . }}
spec:
  args:
    - name: canary-hash
    - name: stable-hash
    - {name: stable-service, value: ""}
  metrics:
    - name: success-rate
      {{- include "payops.pace" $pace | nindent 6 }}
      {{- include "payops.numberConditions" (dict "good" ">=" "bad" "<" "limit" .analysis.ratioToStable) | nindent 6 }}
      {{- include "payops.datadogProvider" (dict "root" .root "pace" $pace "aggregator" "sum"
            "formula" "(canary_good / canary_all) / (stable_good / stable_all)" "queries" (dict
            "canary_good" (printf "sum:%s{%s%s}.as_count()" .analysis.metric.good $canary .analysis.metric.goodFilter)
            "canary_all" (printf "sum:%s{%s%s}.as_count()" .analysis.metric.all $canary .analysis.metric.allFilter)
            "stable_good" (printf "sum:%s{%s%s}.as_count()" .analysis.metric.good $stable .analysis.metric.goodFilter)
            "stable_all" (printf "sum:%s{%s%s}.as_count()" .analysis.metric.all $stable .analysis.metric.allFilter))) | nindent 6 }}
{{- end }}

{{/* The queues behind the service: both versions feed and empty them, so a limit here stops the canary whoever caused it. */}}
{{- define "payops.analysis.queues" -}}
{{- $root := .root -}}
{{- $analysis := .analysis -}}
{{ include "payops.analysisHead" . }}
spec:
  args:
    - name: canary-hash
    - name: stable-hash
    - {name: stable-service, value: ""}
  metrics:
    {{- range $queue := .analysis.queues }}
    - name: dead-letters-{{ $queue }}
      {{- include "payops.pace" $analysis.pace | nindent 6 }}
      {{- include "payops.seriesConditions" (dict "limit" $analysis.deadLettersMax) | nindent 6 }}
      # The consumers' own count, which says zero: SQS is silent about a queue that nobody touched for six hours.
      {{- include "payops.cloudWatchProvider" (dict "window" $analysis.pace.window "namespace" "Payops" "metric" "DeadLetters" "stat" "Sum"
            "dimension" "Queue" "value" $queue) | nindent 6 }}
    - name: oldest-message-{{ $queue }}
      {{- include "payops.pace" $analysis.pace | nindent 6 }}
      {{- include "payops.seriesConditions" (dict "limit" $analysis.oldestSecondsMax) | nindent 6 }}
      {{- include "payops.cloudWatchProvider" (dict "window" $analysis.pace.window "namespace" "AWS/SQS" "metric" "ApproximateAgeOfOldestMessage" "stat" "Maximum"
            "dimension" "QueueName" "value" (printf "%s%s" (tpl $root.Values.config.PAYOPS_QUEUE_PREFIX $root) $queue)) | nindent 6 }}
    {{- end }}
{{- end }}

{{- define "payops.cloudWatchProvider" -}}
provider:
  cloudWatch:
    interval: {{ .window }}
    metricDataQueries:
      - id: value
        returnData: true
        metricStat:
          period: 60
          stat: {{ .stat }}
          metric:
            namespace: {{ .namespace }}
            metricName: {{ .metric }}
            dimensions:
              - name: {{ .dimension }}
                value: {{ .value }}
{{- end }}

{{/* A payment through the canary alone, from request to receipt, before it gets anybody's traffic. */}}
{{- define "payops.analysis.smoke" -}}
{{ include "payops.analysisHead" . }}
spec:
  args:
    - name: canary-hash
    - name: stable-hash
    - {name: stable-service, value: ""}
  metrics:
    - name: smoke
      count: 1
      failureLimit: 0
      provider:
        job:
          metadata:
            labels:
              app.kubernetes.io/name: {{ .root.Values.service }}-smoke
              app.kubernetes.io/part-of: payops
          spec:
            backoffLimit: 0
            activeDeadlineSeconds: {{ .analysis.deadlineSeconds }}
            ttlSecondsAfterFinished: 3600
            template:
              metadata:
                labels:
                  app.kubernetes.io/name: {{ .root.Values.service }}-smoke
                  app.kubernetes.io/part-of: payops
                  payops.example.com/role: smoke
              spec:
                restartPolicy: Never
                serviceAccountName: default
                automountServiceAccountToken: false
                enableServiceLinks: false
                securityContext: {{- include "payops.podSecurity" . | nindent 18 }}
                containers:
                  - name: smoke
                    image: {{ include "payops.image" (dict "image" .analysis.image "root" .root) }}
                    args: {{- toYaml .analysis.args | nindent 22 }}
                    env:
                      - name: PAYOPS_BASE_URL
                        {{- if include "payops.routed" .root }}
                        value: "http://{{ .root.Values.service }}-beside-{{ printf "{{args.stable-service}}" }}.{{ .root.Release.Namespace }}.svc.cluster.local:{{ .root.Values.ports.http }}"
                        {{- else }}
                        value: "http://{{ .root.Values.service }}-root.{{ .root.Release.Namespace }}.svc.cluster.local:{{ .root.Values.ports.http }}"
                        {{- end }}
                      - name: PAYOPS_API_KEY
                        valueFrom:
                          secretKeyRef: {name: {{ .root.Values.service }}-smoke, key: api-key}
                      - name: PAYOPS_SMOKE_SOURCE
                        valueFrom:
                          secretKeyRef: {name: {{ .root.Values.service }}-smoke, key: source}
                    resources:
                      requests: {cpu: 50m, memory: 64Mi}
                      limits: {memory: 128Mi}
                    securityContext: {{- include "payops.containerSecurity" . | nindent 22 }}
{{- end }}

{{/* What the smoke test's pods may reach: the service, and nothing else. */}}
{{- define "payops.smokePolicy" -}}
{{- if hasKey .Values.analysis "smoke" }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .Values.service }}-smoke
  namespace: {{ .Release.Namespace }}
  labels: {{- include "payops.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {app.kubernetes.io/name: {{ .Values.service }}-smoke}
  policyTypes: [Ingress, Egress]
  egress:
    - to:
        - podSelector:
            matchLabels: {{- include "payops.selector" . | nindent 14 }}
      ports:
        - {protocol: TCP, port: {{ .Values.ports.http }}}
    {{- include "payops.dns" . | nindent 4 }}
{{- end }}
{{- end }}
