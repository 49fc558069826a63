{{/*
What an app's chart includes. Each is called with the context of this chart: inside it that is `.`, in a chart that depends
on it `.Subcharts.sidegate`.
*/}}

{{/* The name of the ConfigMap with the settings. */}}
{{- define "sidegate.name" -}}
{{- if contains "sidegate" .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-sidegate" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The number after the last colon of an address such as [::]:8080. */}}
{{- define "sidegate.port" -}}
{{- regexFind "[0-9]+$" . -}}
{{- end -}}

{{/* One item of initContainers. */}}
{{- define "sidegate.container" -}}
{{- $port := include "sidegate.port" .Values.settings.listen -}}
{{- $adminPort := include "sidegate.port" .Values.settings.admin.listen -}}
name: sidegate
image: {{ include "sidegate.image" . | quote }}
{{- with .Values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
restartPolicy: Always
args: [run, --config, /etc/sidegate/sidegate.yaml]
{{- if or (ne $port "8080") (ne $adminPort "9090") }}
env:
  {{- if ne $adminPort "9090" }}
  - { name: SIDEGATE_ADMIN_LISTEN, value: "[::]:{{ $adminPort }}" }
  {{- end }}
  {{- if ne $port "8080" }}
  - { name: SIDEGATE_LISTEN, value: "[::]:{{ $port }}" }
  {{- end }}
{{- end }}
ports:
  - { containerPort: {{ $port }}, protocol: TCP }
  - { containerPort: {{ $adminPort }}, protocol: TCP }
startupProbe:
  httpGet: { path: /livez, port: {{ $adminPort }} }
  periodSeconds: 1
  failureThreshold: 30
readinessProbe:
  httpGet: { path: /readyz, port: {{ $adminPort }} }
  periodSeconds: 5
  failureThreshold: 2
livenessProbe:
  httpGet: { path: /livez, port: {{ $adminPort }} }
  periodSeconds: 10
  failureThreshold: 3
lifecycle:
  preStop:
    httpGet: { path: /drain, port: {{ $adminPort }} }
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- include "sidegate.securityContext" . | nindent 2 }}
volumeMounts:
  - { name: sidegate, mountPath: /etc/sidegate, readOnly: true }
{{- end -}}

{{/* One item of volumes. */}}
{{- define "sidegate.volume" -}}
name: sidegate
projected:
  sources:
    - configMap: { name: {{ include "sidegate.name" . }} }
    {{- with .Values.secretName }}
    - secret: { name: {{ . }} }
    {{- end }}
{{- end -}}
