{{/* Pieces of the server's pods. */}}

{{- define "bellringer.tls.secretName" -}}
{{- if .Values.tls.secretName }}{{ .Values.tls.secretName }}
{{- else if .Values.tls.certManager.enabled }}{{ include "bellringer.fullname" . }}-tls
{{- else }}
{{- fail "tls.enabled: give tls.secretName, or set tls.certManager.enabled" }}
{{- end }}
{{- end }}

{{/* A probe asks the health port; without one, the gRPC port, which must then speak without TLS. */}}
{{- define "bellringer.probe" -}}
{{- $root := index . 0 -}}
grpc:
  port: {{ $root.Values.health.enabled | ternary (int $root.Values.health.port) 7117 }}
  {{- with index . 2 }}
  service: {{ . }}
  {{- end }}
{{ toYaml (index . 1) }}
{{- end }}

{{/* Migrations in an init container: pods that start together wait for each other by a lock in the database. */}}
{{- define "bellringer.initContainers" -}}
{{- if and (eq .Values.migrations.mode "init") (eq (include "bellringer.database.kind" .) "trial") }}
- name: wait-for-postgres
  image: {{ include "bellringer.image" (list .Values.postgres.image "") }}
  imagePullPolicy: {{ .Values.postgres.image.pullPolicy }}
  command: [sh, -c, 'until pg_isready -q -h "$0" -U bellringer -d bellringer -t 3; do sleep 1; done', {{ include "bellringer.postgres.name" . }}]
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  resources:
    {{- toYaml .Values.migrations.resources | nindent 4 }}
{{- end }}
{{- if eq .Values.migrations.mode "init" }}
- name: migrate
  image: {{ include "bellringer.image" (list .Values.image .Chart.AppVersion) }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  {{- with .Values.image.command }}
  command:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  args: [migrate, --config, /etc/bellringer/config/config.toml]
  env:
    {{- include "bellringer.migrations.env" . | trim | nindent 4 }}
    {{- with .Values.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.extraEnvFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  resources:
    {{- toYaml .Values.migrations.resources | nindent 4 }}
  volumeMounts:
    {{- include "bellringer.volumeMounts" . | trim | nindent 4 }}
{{- end }}
{{- end }}

{{- define "bellringer.volumes" -}}
- name: config
  configMap:
    name: {{ include "bellringer.fullname" . }}
{{- if .Values.tls.enabled }}
- name: tls
  secret:
    secretName: {{ include "bellringer.tls.secretName" . }}
    defaultMode: 0440
{{- with .Values.tls.clientCa }}
{{- if .secretName }}
- name: client-ca
  secret:
    secretName: {{ .secretName }}
    items: [{key: {{ .key | quote }}, path: ca.crt}]
{{- end }}
{{- end }}
{{- end }}
{{- include "bellringer.database.caVolume" . }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "bellringer.volumeMounts" -}}
- name: config
  mountPath: /etc/bellringer/config
  readOnly: true
{{- if .Values.tls.enabled }}
- name: tls
  mountPath: /etc/bellringer/tls
  readOnly: true
{{- if .Values.tls.clientCa.secretName }}
- name: client-ca
  mountPath: /etc/bellringer/client-ca
  readOnly: true
{{- end }}
{{- end }}
{{- include "bellringer.database.caMount" . }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "bellringer.affinity" -}}
{{- if .Values.affinity }}
{{- toYaml .Values.affinity }}
{{- else if eq .Values.podAntiAffinity "hard" -}}
podAntiAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    - topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels:
          {{- include "bellringer.selector" (list . "server") | nindent 10 }}
{{- else if eq .Values.podAntiAffinity "soft" -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "bellringer.selector" (list . "server") | nindent 12 }}
{{- end }}
{{- end }}

{{- define "bellringer.topologySpread" -}}
{{- $ours := dict "matchLabels" (include "bellringer.selector" (list . "server") | fromYaml) }}
{{- range .Values.topologySpreadConstraints }}
- {{ set (deepCopy .) "labelSelector" (default $ours .labelSelector) | toYaml | nindent 2 | trim }}
{{- end }}
{{- end }}
