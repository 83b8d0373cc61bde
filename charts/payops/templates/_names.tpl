{{/* Names, labels and the image reference. Every other template begins here. */}}

{{- define "payops.labels" -}}
{{ include "payops.selector" . }}
app.kubernetes.io/part-of: payops
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimAll "-._" }}
tags.datadoghq.com/service: {{ .Values.service }}
tags.datadoghq.com/env: {{ .Values.environment }}
tags.datadoghq.com/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{/* What never changes between versions: selectors are immutable. */}}
{{- define "payops.selector" -}}
app.kubernetes.io/name: {{ .Values.service }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "payops.protected" -}}
{{- if has .Values.environment (list "preprod" "prod") }}true{{ end }}
{{- end }}

{{/*
Preprod and prod run what was tested, byte for byte, so only a digest names an image there. The schema
says the same; this also holds where somebody renders with --skip-schema-validation.
Takes a dict of image (repository, tag, digest) and root.
*/}}
{{- define "payops.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else if include "payops.protected" .root -}}
{{- fail (printf "%s: %s needs an image digest in %s" .root.Values.service .image.repository .root.Values.environment) -}}
{{- else -}}
{{ .image.repository }}:{{ required (printf "%s: the image needs a digest or a tag" .root.Values.service) .image.tag }}
{{- end -}}
{{- end }}

{{/* The restricted pod security standard, and a file system that nothing can write to. */}}
{{- define "payops.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "payops.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Whether a load balancer divides the traffic. */}}
{{- define "payops.routed" -}}
{{- if .Values.ports.http }}{{ range .Values.ingress }}{{ if .enabled }}true{{ end }}{{ end }}{{ end }}
{{- end }}

{{/* The services in front of the pods, joined by commas. */}}
{{- define "payops.serviceNames" -}}
{{- $service := .Values.service -}}
{{- if include "payops.routed" . -}}
{{ $service }}-root,{{ $service }}-ping,{{ $service }}-pong
{{- else -}}
{{ $service }}-root
{{- end -}}
{{- end }}
