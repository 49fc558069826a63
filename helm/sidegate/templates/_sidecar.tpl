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

{{/* The number after the last colon of an address such as 0.0.0.0:8080. */}}
{{- define "sidegate.port" -}}
{{- regexFind "[0-9]+$" . -}}
{{- end -}}

{{/* One item of initContainers. */}}
{{- define "sidegate.container" -}}
{{- $port := include "sidegate.port" .Values.settings.listen -}}
{{- $adminPort := include "sidegate.port" .Values.settings.admin.listen -}}
name: sidegate
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
{{- with .Values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
restartPolicy: Always
args: [run, --config, /etc/sidegate/sidegate.yaml]
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
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
  seccompProfile: { type: RuntimeDefault }
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
