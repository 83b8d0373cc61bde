{{/*
root is what the Ingress names; the controller's annotation there divides its traffic between ping and pong.
operations is for scraping alone and is behind no load balancer.
*/}}
{{- define "payops.services" -}}
{{- $root := . -}}
{{- if .Values.ports.http }}
{{- range (include "payops.serviceNames" . | splitList ",") }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ . }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "payops.labels" $root | nindent 4 }}
spec:
  type: ClusterIP
  selector: {{- include "payops.selector" $root | nindent 4 }}
  ports:
    # The port of the pods: policies of the VPC CNI hold for a service only where its port is theirs.
    - name: http
      port: {{ $root.Values.ports.http }}
      targetPort: http
{{- end }}
{{- if include "payops.routed" . }}
{{- range $stable, $canary := dict "ping" "pong" "pong" "ping" }}
---
# What is beside the stable service is the canary: a name for the smoke test, which knows only the stable one.
apiVersion: v1
kind: Service
metadata:
  name: {{ $root.Values.service }}-beside-{{ $stable }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "payops.labels" $root | nindent 4 }}
spec:
  type: ExternalName
  externalName: {{ $root.Values.service }}-{{ $canary }}.{{ $root.Release.Namespace }}.svc.cluster.local
{{- end }}
{{- end }}
{{- end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Values.service }}-operations
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "payops.labels" . | nindent 4 }}
    payops.example.com/port: operations
spec:
  type: ClusterIP
  clusterIP: None
  # A pod that is not ready is the one whose numbers are wanted.
  publishNotReadyAddresses: true
  selector: {{- include "payops.selector" . | nindent 4 }}
  ports:
    - name: operations
      port: {{ .Values.ports.operations }}
      targetPort: operations
{{- end }}

{{- define "payops.ingresses" -}}
{{- $root := . -}}
{{- range $name, $ingress := .Values.ingress }}
{{- if $ingress.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ $root.Values.service }}-{{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "payops.labels" $root | nindent 4 }}
  annotations:
    # With the rollout: its controller writes the annotation without which there is no load balancer to wait for.
    argocd.argoproj.io/sync-wave: "1"
    alb.ingress.kubernetes.io/scheme: {{ $ingress.scheme }}
    alb.ingress.kubernetes.io/group.name: {{ $ingress.group }}
    # Terraform made the load balancer: the controller finds it by the tag of the group, and fills it.
    alb.ingress.kubernetes.io/load-balancer-name: {{ $ingress.group }}
    alb.ingress.kubernetes.io/target-type: ip
    alb.ingress.kubernetes.io/listen-ports: '[{"HTTPS":443}]'
    alb.ingress.kubernetes.io/ssl-policy: ELBSecurityPolicy-TLS13-1-2-2021-06
    # The load balancer asks whether the store answers; the kubelet only whether the process turns.
    alb.ingress.kubernetes.io/healthcheck-path: /readyz
    alb.ingress.kubernetes.io/healthcheck-port: traffic-port
    alb.ingress.kubernetes.io/healthcheck-interval-seconds: "5"
    alb.ingress.kubernetes.io/healthcheck-timeout-seconds: "3"
    alb.ingress.kubernetes.io/healthy-threshold-count: "2"
    alb.ingress.kubernetes.io/unhealthy-threshold-count: "2"
    alb.ingress.kubernetes.io/success-codes: "200"
    alb.ingress.kubernetes.io/target-group-attributes: deregistration_delay.timeout_seconds=15
    # Terraform's, for the whole group: the controller may neither make nor change one.
    alb.ingress.kubernetes.io/security-groups: {{ $ingress.securityGroup }}
spec:
  ingressClassName: alb
  tls:
    # The controller finds the certificate in ACM by the host's name.
    - hosts: [{{ tpl $ingress.host $root }}]
  rules:
    - host: {{ tpl $ingress.host $root }}
      http:
        paths:
          # Probes and metrics have no way in from a load balancer.
          {{- range $path := $root.Values.paths }}
          - path: {{ $path.path }}
            pathType: {{ $path.type }}
            backend:
              service:
                name: {{ $root.Values.service }}-root
                port:
                  name: use-annotation
          {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "payops.serviceMonitor" -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ .Values.service }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "payops.labels" . | nindent 4 }}
spec:
  selector:
    matchLabels:
      {{- include "payops.selector" . | nindent 6 }}
      payops.example.com/port: operations
  podTargetLabels: [rollouts-pod-template-hash]
  endpoints:
    - port: operations
      path: /metrics
      interval: 30s
      scrapeTimeout: 10s
{{- end }}
