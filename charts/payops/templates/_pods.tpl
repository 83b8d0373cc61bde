{{/* The pod of a service. */}}
{{- define "payops.podTemplate" -}}
metadata:
  labels: {{- include "payops.labels" . | nindent 4 }}
  annotations:
    {{- if .Values.datadog.enabled }}
    ad.datadoghq.com/{{ .Values.service }}.checks: |
      {{- include "payops.openmetrics" . | nindent 6 }}
    {{- end }}
    kubectl.kubernetes.io/default-container: {{ .Values.service }}
spec:
  serviceAccountName: {{ .Values.service }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  # Longer than PAYOPS_SHUTDOWN_DELAY and PAYOPS_DRAIN together: work under way ends by itself.
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  securityContext: {{- include "payops.podSecurity" . | nindent 4 }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  affinity:
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          podAffinityTerm:
            topologyKey: kubernetes.io/hostname
            labelSelector:
              matchLabels: {{- include "payops.selector" . | nindent 16 }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: topology.kubernetes.io/zone
      whenUnsatisfiable: {{ .Values.spread.whenUnsatisfiable }}
      labelSelector:
        matchLabels: {{- include "payops.selector" . | nindent 10 }}
      # Each version is spread by itself: the canary is in every zone before it takes over.
      matchLabelKeys: [rollouts-pod-template-hash]
  containers:
    - name: {{ .Values.service }}
      image: {{ include "payops.image" (dict "image" .Values.image "root" .) }}
      imagePullPolicy: IfNotPresent
      command: {{- toYaml .Values.command | nindent 8 }}
      envFrom:
        - configMapRef:
            name: {{ include "payops.configName" . }}
      ports:
        {{- if .Values.ports.http }}
        - name: http
          containerPort: {{ .Values.ports.http }}
        {{- end }}
        - name: operations
          containerPort: {{ .Values.ports.operations }}
      startupProbe:
        httpGet: {path: /livez, port: operations}
        periodSeconds: 2
        failureThreshold: {{ .Values.probes.startupFailures }}
      livenessProbe:
        httpGet: {path: /livez, port: operations}
        periodSeconds: 10
        timeoutSeconds: 2
        failureThreshold: 3
      readinessProbe:
        httpGet: {path: /readyz, port: operations}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      resources: {{- toYaml .Values.resources | nindent 8 }}
      securityContext: {{- include "payops.containerSecurity" . | nindent 8 }}
{{- end }}

{{/* How the Datadog Agent reads the registry that the operations listener serves. */}}
{{- define "payops.openmetrics" -}}
{{- $endpoint := printf "http://%%%%host%%%%:%v/metrics" .Values.ports.operations -}}
{{- $instance := dict "openmetrics_endpoint" $endpoint "namespace" "payops" "metrics" .Values.datadog.metrics "histogram_buckets_as_distributions" true -}}
{{- toPrettyJson (dict "openmetrics" (dict "instances" (list $instance))) -}}
{{- end }}
