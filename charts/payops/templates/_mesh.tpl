{{/*
With Istio in the cluster: both sides of a call inside the mesh prove who they are, and a pod that keeps
failing gets no more requests for a while. Off by default: without Istio's CRDs nothing of this is taken.
*/}}
{{- define "payops.mesh" -}}
{{- if .Values.mesh.enabled }}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: {{ .Values.service }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "payops.labels" . | nindent 4 }}
spec:
  selector:
    matchLabels: {{- include "payops.selector" . | nindent 6 }}
  mtls:
    mode: STRICT
  portLevelMtls:
    # The scraper is outside the mesh.
    {{ .Values.ports.operations | quote }}: {mode: PERMISSIVE}
    {{- if include "payops.routed" . }}
    # So is the load balancer, which reaches pods directly; the network policy lets nobody else in.
    {{ .Values.ports.http | quote }}: {mode: PERMISSIVE}
    {{- end }}
{{- if .Values.ports.http }}
{{- range (include "payops.serviceNames" . | splitList ",") }}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: {{ . }}
  namespace: {{ $.Release.Namespace }}
  labels: {{- include "payops.labels" $ | nindent 4 }}
spec:
  host: {{ . }}.{{ $.Release.Namespace }}.svc.cluster.local
  trafficPolicy:
    tls:
      mode: ISTIO_MUTUAL
    {{- with $.Values.mesh.circuitBreaker }}
    connectionPool:
      tcp: {maxConnections: {{ .maxConnections }}}
      http:
        http1MaxPendingRequests: {{ .maxPendingRequests }}
        # A request that moves money is repeated by its client, with its key, and never by the mesh.
        maxRetries: 0
    outlierDetection:
      consecutive5xxErrors: {{ .consecutiveErrors }}
      interval: {{ .interval }}
      baseEjectionTime: {{ .ejectionTime }}
      maxEjectionPercent: {{ .maxEjectionPercent }}
    {{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
