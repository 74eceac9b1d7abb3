{{/* Names and labels. */}}

{{- define "bellringer.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 45 characters, so that what is appended still makes a name of 63. */}}
{{- define "bellringer.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $made := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $made .Values.fullnameOverride | trunc 45 | trimSuffix "-" }}
{{- end }}

{{/* Selects pods of a component: `include "bellringer.selector" (list . "server")`. Never to be changed. */}}
{{- define "bellringer.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "bellringer.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Labels of an object of a component. */}}
{{- define "bellringer.labels" -}}
{{- $root := index . 0 }}
{{- $own := include "bellringer.selector" . | fromYaml }}
{{- $_ := set $own "app.kubernetes.io/version" (toString $root.Chart.AppVersion) }}
{{- $_ := set $own "app.kubernetes.io/part-of" "bellringer" }}
{{- $_ := set $own "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- merge $own $root.Values.commonLabels | toYaml }}
{{- end }}

{{/*
Labels of a component's pods, and more: `include "bellringer.podLabels" (list . "server" .Values.podLabels)`.
Without the chart's version, whose change should not restart them.
*/}}
{{- define "bellringer.podLabels" -}}
{{- $root := index . 0 -}}
{{- $own := include "bellringer.selector" . | fromYaml }}
{{- merge $own (index . 2) $root.Values.commonLabels | toYaml }}
{{- end }}

{{/* Name, namespace and labels: `include "bellringer.metadata" (list . "server" "-headless")`. */}}
{{- define "bellringer.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "bellringer.fullname" $root }}{{ index . 2 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "bellringer.labels" . | nindent 2 }}
{{- end }}

{{/* Labels of this release's series in Prometheus, as its ServiceMonitor gives them. */}}
{{- define "bellringer.series" -}}
{{- printf "namespace=%q, service=%q" .Release.Namespace (printf "%s-headless" (include "bellringer.fullname" .)) }}
{{- end }}

{{- define "bellringer.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "bellringer.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* `include "bellringer.image" (list .Values.image "default tag")`. */}}
{{- define "bellringer.image" -}}
{{- $image := index . 0 -}}
{{- if $image.digest }}
{{- printf "%s@%s" $image.repository $image.digest }}
{{- else }}
{{- printf "%s:%s" $image.repository (default (index . 1) $image.tag) }}
{{- end }}
{{- end }}

{{/* Pods with this label may call, whatever else the NetworkPolicy says. */}}
{{- define "bellringer.clientLabel" -}}
{{ include "bellringer.fullname" . }}-client: "true"
{{- end }}
