{{/*
EKS Pod Identity gives the role: an association in Terraform names this namespace and service account, so
there is no role in an annotation. No service calls the Kubernetes API: no token is mounted.
*/}}
{{- define "payops.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .Values.service }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "payops.labels" . | nindent 4 }}
automountServiceAccountToken: false
{{- end }}

{{/*
What others than the service read: the keys of the analyses and of the smoke test. The service itself asks
Secrets Manager, so its secrets are neither in etcd nor in its environment.
*/}}
{{- define "payops.externalSecrets" -}}
{{- $root := . -}}
{{- range $name, $secret := .Values.externalSecrets }}
{{- $needed := false }}
{{- range $root.Values.analysis }}
{{- if has .kind $secret.for }}{{ $needed = true }}{{ end }}
{{- end }}
{{- if $needed }}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: {{ $root.Values.service }}-{{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "payops.labels" $root | nindent 4 }}
spec:
  refreshInterval: 15m
  secretStoreRef:
    kind: ClusterSecretStore
    name: {{ $root.Values.secretStore }}
  target:
    name: {{ $root.Values.service }}-{{ $name }}
    creationPolicy: Owner
    deletionPolicy: Retain
  data:
    {{- range $secret.properties }}
    - secretKey: {{ . }}
      remoteRef:
        key: {{ tpl $root.Values.config.PAYOPS_SECRET_PREFIX $root }}{{ $secret.secret }}
        property: {{ . }}
    {{- end }}
{{- end }}
{{- end }}
{{- end }}
