{{/* All objects of a service, for its chart's one template. */}}
{{- define "payops.objects" -}}
---
{{ include "payops.serviceAccount" . }}
---
{{ include "payops.config" . }}
{{ include "payops.externalSecrets" . }}
{{ include "payops.networkPolicies" . }}
{{ include "payops.smokePolicy" . }}
{{ include "payops.services" . }}
{{ include "payops.ingresses" . }}
{{ include "payops.mesh" . }}
{{ include "payops.analyses" . }}
---
{{ include "payops.rollout" . }}
{{- with include "payops.autoscaler" . }}
---
{{ . }}
{{- end }}
---
{{ include "payops.disruptionBudget" . }}
---
{{ include "payops.serviceMonitor" . }}
{{- end }}
