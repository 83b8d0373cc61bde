{{/*
Nothing in and nothing out but the flows that the values name, one policy each, so that a policy's name
says what would stop without it. `network.cidrs` gives the networks of this environment their names.
*/}}
{{- define "payops.networkPolicies" -}}
{{- $root := . -}}
{{- $selector := include "payops.selector" . -}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .Values.service }}-deny-all
  namespace: {{ .Release.Namespace }}
  labels: {{- include "payops.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- $selector | nindent 6 }}
  policyTypes: [Ingress, Egress]
{{- range $name, $flow := .Values.network.ingress }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ $root.Values.service }}-from-{{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "payops.labels" $root | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- $selector | nindent 6 }}
  policyTypes: [Ingress]
  ingress:
    - from: {{- include "payops.peers" (dict "root" $root "flow" $flow) | trim | nindent 8 }}
      ports:
        {{- range $flow.ports }}
        - {protocol: TCP, port: {{ . }}}
        {{- end }}
{{- end }}
{{- range $name, $flow := .Values.network.egress }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ $root.Values.service }}-to-{{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "payops.labels" $root | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- $selector | nindent 6 }}
  policyTypes: [Egress]
  egress: {{- include "payops.egress" (dict "root" $root "flow" $flow) | nindent 4 }}
{{- end }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .Values.service }}-to-dns
  namespace: {{ .Release.Namespace }}
  labels: {{- include "payops.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- $selector | nindent 6 }}
  policyTypes: [Egress]
  egress: {{- include "payops.dns" . | nindent 4 }}
{{- end }}

{{- define "payops.dns" -}}
- to:
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: kube-system}
      podSelector:
        matchLabels: {k8s-app: kube-dns}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end }}

{{- define "payops.egress" -}}
- to: {{- include "payops.peers" . | trim | nindent 4 }}
  ports:
    {{- range .flow.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}

{{/* Takes a dict of root and a flow: networks by name, namespaces by name, pods of this namespace by label. */}}
{{- define "payops.peers" -}}
{{- range $network := .flow.networks }}
{{- if eq $network "internet" }}
# Gateway endpoints and the payment provider have no addresses that stay; everything private is left out.
- ipBlock:
    cidr: 0.0.0.0/0
    except: [10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
{{- else if eq $network "pod-identity" }}
# The agent of EKS Pod Identity on the pod's own node.
- ipBlock: {cidr: 169.254.170.23/32}
{{- else }}
{{- range required (printf "%s: network.cidrs.%s is not set for %s" $.root.Values.service $network $.root.Values.environment) (get $.root.Values.network.cidrs $network) }}
- ipBlock: {cidr: {{ . }}}
{{- end }}
{{- end }}
{{- end }}
{{- range .flow.namespaces }}
- namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: {{ . }}}
{{- end }}
{{- range .flow.roles }}
- podSelector:
    matchLabels: {payops.example.com/role: {{ . }}}
{{- end }}
{{- end }}
