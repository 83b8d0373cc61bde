{{/*
The environment of the service's containers. Listeners come from `ports`, so that a port cannot differ
between a listener, a probe and a policy. Values are templates: a pull request's number stands in some.
*/}}
{{- define "payops.environment" -}}
{{- $environment := dict "PAYOPS_HEALTH_LISTEN" (printf "0.0.0.0:%v" .Values.ports.operations) -}}
{{- if .Values.ports.http -}}
{{- $_ := set $environment "PAYOPS_LISTEN" (printf "0.0.0.0:%v" .Values.ports.http) -}}
{{- end -}}
{{- range $name, $value := .Values.config -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $_ := set $environment $name (tpl (toString $value) $) -}}
{{- end -}}
{{- end -}}
{{- toYaml $environment -}}
{{- end }}

{{/* Named by its content: pods of the stable version keep the settings that they were started with. */}}
{{- define "payops.configName" -}}
{{ .Values.service }}-config-{{ include "payops.environment" . | sha256sum | trunc 10 }}
{{- end }}

{{- define "payops.config" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "payops.configName" . }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "payops.labels" . | nindent 4 }}
  annotations:
    # The stable version may still need the one before: a pod that restarts during a canary reads it again.
    argocd.argoproj.io/sync-options: Prune=false
    argocd.argoproj.io/compare-options: IgnoreExtraneous
immutable: true
data: {{- include "payops.environment" . | nindent 2 }}
{{- end }}
