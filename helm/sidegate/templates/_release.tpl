{{/*
What the templates of this chart share.
*/}}

{{/* The labels of every object. */}}
{{- define "sidegate.labels" -}}
app.kubernetes.io/name: sidegate
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* The way of injection. YAML 1.1 reads a bare off as false. */}}
{{- define "sidegate.mode" -}}
{{- $mode := toString .Values.injection.mode -}}
{{- if eq $mode "false" }}off{{ else }}{{ $mode }}{{ end -}}
{{- end -}}

{{- define "sidegate.image" -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}

{{/* What holds for the gate of every pod that does not say otherwise: what the injector and the policy start from. */}}
{{- define "sidegate.defaults" -}}
image: {{ include "sidegate.image" . | quote }}
{{- with .Values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
listenPort: {{ include "sidegate.port" .Values.settings.listen }}
adminPort: {{ include "sidegate.port" .Values.settings.admin.listen }}
configMap: {{ include "sidegate.name" . }}
{{- with .Values.secretName }}
secret: {{ . }}
{{- end }}
resources:
  cpuRequest: {{ .Values.resources.requests.cpu | quote }}
  memoryRequest: {{ .Values.resources.requests.memory | quote }}
  memoryLimit: {{ .Values.resources.limits.memory | quote }}
{{- end -}}

{{/* The settings as they are written into the ConfigMap: those given, and where the Redis of this chart is. */}}
{{- define "sidegate.settings" -}}
{{- $settings := deepCopy .Values.settings -}}
{{- if .Values.redis.enabled -}}
{{- $host := printf "%s-redis.%s" (include "sidegate.name" .) .Release.Namespace -}}
{{- $redis := dict "redis" (printf "redis://%s:6379/0" $host) -}}
{{- with .Values.redis.passwordKey }}{{- $_ := set $redis "passwordFile" (printf "/etc/sidegate/%s" .) }}{{- end -}}
{{- $_ := set $settings "revocation" (mergeOverwrite $redis ($settings.revocation | default dict)) -}}
{{- end -}}
{{- toYaml $settings -}}
{{- end -}}

{{/* The restricted profile, for containers that write nothing. */}}
{{- define "sidegate.securityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end -}}
