{{- define "payops.rollout" -}}
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: {{ .Values.service }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "payops.labels" . | nindent 4 }}
  annotations:
    argocd.argoproj.io/sync-wave: "1"
    notifications.argoproj.io/subscribe.on-rollout-completed.slack: {{ .Values.alertChannel }}
    notifications.argoproj.io/subscribe.on-rollout-paused.slack: {{ .Values.alertChannel }}
    notifications.argoproj.io/subscribe.on-rollout-aborted.slack: {{ .Values.alertChannel }}
    notifications.argoproj.io/subscribe.on-analysis-run-failed.slack: {{ .Values.alertChannel }}
    notifications.argoproj.io/subscribe.on-analysis-run-error.slack: {{ .Values.alertChannel }}
spec:
  {{- if not .Values.autoscaling.enabled }}
  replicas: {{ .Values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  # Going back to a version that held is no canary: it is served at once.
  rollbackWindow: {revisions: 3}
  minReadySeconds: {{ .Values.canary.minReadySeconds }}
  progressDeadlineSeconds: 600
  # A canary that does not become ready goes back by itself.
  progressDeadlineAbort: true
  selector:
    matchLabels: {{- include "payops.selector" . | nindent 6 }}
  strategy:
    canary:
      maxSurge: {{ .Values.canary.maxSurge }}
      maxUnavailable: 0
      canaryMetadata:
        labels: {payops.example.com/role: canary}
      stableMetadata:
        labels: {payops.example.com/role: stable}
      {{- if include "payops.routed" . }}
      # Load balancers learn of a change later than the controller: pods stay until they have.
      scaleDownDelaySeconds: {{ .Values.canary.scaleDownDelaySeconds }}
      abortScaleDownDelaySeconds: {{ .Values.canary.scaleDownDelaySeconds }}
      # The selectors of both services stay, so that readiness gates hold: a pod counts as ready once the
      # load balancer says that it is.
      pingPong:
        pingService: {{ .Values.service }}-ping
        pongService: {{ .Values.service }}-pong
      trafficRouting:
        alb:
          ingresses:
            {{- range $name, $ingress := .Values.ingress }}
            {{- if $ingress.enabled }}
            - {{ $.Values.service }}-{{ $name }}
            {{- end }}
            {{- end }}
          rootService: {{ .Values.service }}-root
          servicePort: {{ .Values.ports.http }}
      {{- end }}
      {{- with .Values.canary.steps }}
      steps:
        {{- range . }}
        {{- if hasKey . "analyses" }}
        - analysis: {{- include "payops.analysisStep" (dict "root" $ "names" .analyses) | nindent 12 }}
        {{- else }}
        - {{ toYaml . | nindent 10 | trim }}
        {{- end }}
        {{- end }}
      {{- end }}
  template: {{- include "payops.podTemplate" . | nindent 4 }}
{{- end }}

{{/* A step that waits for analyses. Takes a dict of root and the names of the analyses. */}}
{{- define "payops.analysisStep" -}}
templates:
  {{- range .names }}
  {{- if not (hasKey $.root.Values.analysis .) }}
  {{- fail (printf "%s: a canary step names the analysis %s, which the values do not have" $.root.Values.service .) }}
  {{- end }}
  - templateName: {{ $.root.Values.service }}-{{ . }}
  {{- end }}
args:
  - name: canary-hash
    valueFrom: {podTemplateHashValue: Latest}
  - name: stable-hash
    valueFrom: {podTemplateHashValue: Stable}
  {{- if include "payops.routed" .root }}
  # ping or pong; the canary is the other.
  - name: stable-service
    valueFrom:
      fieldRef: {fieldPath: status.canary.stablePingPong}
  {{- end }}
{{- end }}

{{- define "payops.autoscaler" -}}
{{- if .Values.autoscaling.enabled -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .Values.service }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "payops.labels" . | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: argoproj.io/v1alpha1
    kind: Rollout
    name: {{ .Values.service }}
  minReplicas: {{ .Values.autoscaling.min }}
  maxReplicas: {{ .Values.autoscaling.max }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ .Values.autoscaling.cpuPercent }}
  behavior:
    scaleUp:
      stabilizationWindowSeconds: 0
      policies:
        - {type: Percent, value: 100, periodSeconds: 60}
    scaleDown:
      # Traffic of a shop comes back within minutes; pods that have just gone would be cold.
      stabilizationWindowSeconds: 600
      policies:
        - {type: Pods, value: 1, periodSeconds: 60}
{{- end }}
{{- end }}

{{- define "payops.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .Values.service }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "payops.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  # A pod that is not ready serves nobody: it must not keep a node from being drained.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "payops.selector" . | nindent 6 }}
{{- end }}
