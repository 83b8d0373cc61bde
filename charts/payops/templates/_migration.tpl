{{/*
Brings the ledger's schema to what a new version needs, before that starts. It runs before the sync, when neither
the release's ConfigMap nor its service account is there yet: it brings its own. Migrations expand only, so
the version that runs meanwhile goes on. Exit code 0 is done, or nothing to do; 2, settings that cannot be used, is
final; anything else is tried again.
*/}}
{{- define "payops.migration" -}}
{{- if .Values.migration.enabled }}
{{- $name := printf "%s-migrate" .Values.service }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "payops.labels" . | nindent 4 }}
  annotations:
    argocd.argoproj.io/hook: PreSync
    argocd.argoproj.io/hook-delete-policy: BeforeHookCreation
    argocd.argoproj.io/sync-wave: "-2"
automountServiceAccountToken: false
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ $name }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "payops.labels" . | nindent 4 }}
  annotations:
    argocd.argoproj.io/hook: PreSync
    argocd.argoproj.io/hook-delete-policy: BeforeHookCreation
    argocd.argoproj.io/sync-wave: "-2"
spec:
  podSelector:
    matchLabels: {app.kubernetes.io/name: {{ $name }}}
  policyTypes: [Ingress, Egress]
  egress:
    {{- range .Values.migration.flows }}
    {{- include "payops.egress" (dict "root" $ "flow" (get $.Values.network.egress .)) | nindent 4 }}
    {{- end }}
    {{- include "payops.dns" . | nindent 4 }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $name }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "payops.labels" . | nindent 4 }}
  annotations:
    argocd.argoproj.io/hook: PreSync
    argocd.argoproj.io/hook-delete-policy: BeforeHookCreation
    argocd.argoproj.io/sync-wave: "-1"
spec:
  backoffLimit: 2
  activeDeadlineSeconds: {{ .Values.migration.deadlineSeconds }}
  podFailurePolicy:
    rules:
      - action: FailJob
        onExitCodes: {containerName: migrate, operator: In, values: [2]}
      # A node that goes away is no attempt.
      - action: Ignore
        onPodConditions:
          - type: DisruptionTarget
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {{ $name }}
        app.kubernetes.io/part-of: payops
    spec:
      restartPolicy: Never
      serviceAccountName: {{ $name }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext: {{- include "payops.podSecurity" . | nindent 8 }}
      {{- with .Values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: migrate
          image: {{ include "payops.image" (dict "image" .Values.image "root" .) }}
          command: {{- toYaml .Values.migration.command | nindent 12 }}
          env:
            {{- range $key, $value := include "payops.environment" . | fromYaml }}
            {{- if has $key (list "PAYOPS_LOG" "PAYOPS_AWS_REGION" "PAYOPS_AWS_ENDPOINT" "PAYOPS_AWS_ACCOUNT" "PAYOPS_TABLE" "PAYOPS_SECRET_PREFIX" "PAYOPS_LEDGER_URL_SECRET") }}
            - {name: {{ $key }}, value: {{ $value | quote }}}
            {{- end }}
            {{- end }}
          resources:
            requests: {cpu: 100m, memory: 64Mi}
            limits: {memory: 256Mi}
          securityContext: {{- include "payops.containerSecurity" . | nindent 12 }}
{{- end }}
{{- end }}
