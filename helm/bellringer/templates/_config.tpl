{{/* The server's file of settings. */}}

{{/* A value as TOML: `include "bellringer.toml" (dict "at" "limits.payload" "value" 1)`. */}}
{{- define "bellringer.toml" -}}
{{- $value := .value }}
{{- $at := .at }}
{{- if kindIs "string" $value }}
{{- toJson $value }}
{{- else if kindIs "bool" $value }}
{{- $value }}
{{- else if kindIs "slice" $value }}
{{- $items := list }}
{{- range $value }}
{{- $items = append $items (include "bellringer.toml" (dict "at" $at "value" .)) }}
{{- end }}
{{- printf "[%s]" (join ", " $items) }}
{{- else if kindIs "map" $value }}
{{- $items := list }}
{{- range $key, $item := $value }}
{{- if not (kindIs "invalid" $item) }}
{{- $items = append $items (printf "%s = %s" (include "bellringer.toml.key" $key) (include "bellringer.toml" (dict "at" (printf "%s.%s" $at $key) "value" $item))) }}
{{- end }}
{{- end }}
{{- printf "{ %s }" (join ", " $items) }}
{{- else if kindIs "invalid" $value }}
{{- fail (printf "config.%s: an element is null" $at) }}
{{- else if eq (float64 $value) (float64 (int64 $value)) }}
{{- /* A whole number from a file is a float64 here; the server wants it without a point. */}}
{{- int64 $value }}
{{- else }}
{{- toJson $value }}
{{- end }}
{{- end }}

{{- define "bellringer.toml.key" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" . }}{{ . }}{{ else }}{{ toJson . }}{{ end }}
{{- end }}

{{/* What the chart itself decides, as a map of sections. */}}
{{- define "bellringer.config.own" -}}
{{- $server := dict
      "listen" (printf "%s:%d" .Values.bindAddress 7117)
      "shutdown_grace" (printf "%ds" (int .Values.shutdown.graceSeconds)) }}
{{- if .Values.health.enabled }}
{{- $_ := set $server "health_listen" (printf "%s:%d" .Values.bindAddress (int .Values.health.port)) }}
{{- end }}
{{- if .Values.metrics.enabled }}
{{- $_ := set $server "metrics_listen" (printf "%s:%d" .Values.bindAddress (int .Values.metrics.port)) }}
{{- end }}
{{- $own := dict "server" $server }}
{{- if .Values.tls.enabled }}
{{- $tls := dict "cert_file" "/etc/bellringer/tls/tls.crt" "key_file" "/etc/bellringer/tls/tls.key" }}
{{- if .Values.tls.clientCa.secretName }}
{{- $_ := set $tls "client_ca_file" "/etc/bellringer/client-ca/ca.crt" }}
{{- end }}
{{- $_ := set $own "tls" $tls }}
{{- end }}
{{- /* Pods listen on more than loopback: without authentication the server wants to be told that this is meant. */}}
{{- $auth := get .Values.config "auth" | default dict }}
{{- if and (not (get $auth "mechanisms")) (not (hasKey $auth "insecure")) }}
{{- $_ := set $own "auth" (dict "insecure" true) }}
{{- end }}
{{- toJson $own }}
{{- end }}

{{/* Settings that a value of the chart stands for, and what would be a secret in a ConfigMap. */}}
{{- define "bellringer.config.check" -}}
{{- $taken := dict
      "server.listen" "bindAddress and service.port"
      "server.health_listen" "health.port"
      "server.metrics_listen" "metrics.port"
      "server.shutdown_grace" "shutdown.graceSeconds"
      "telemetry.sentry_dsn" "sentry.existingSecret"
      "telemetry.sentry_dsn_file" "sentry.existingSecret"
      "store.url" "database"
      "store.url_file" "database"
      "store.direct_url" "database"
      "store.migrate" "migrations.mode"
      "tls.cert_file" "tls"
      "tls.key_file" "tls"
      "tls.client_ca_file" "tls.clientCa" }}
{{- range $section, $keys := .Values.config }}
{{- range $key, $_ := $keys }}
{{- with get $taken (printf "%s.%s" $section $key) }}
{{- fail (printf "config.%s.%s: use the value %s of the chart instead" $section $key .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "bellringer.config.toml" -}}
{{- include "bellringer.config.check" . }}
{{- $sections := mergeOverwrite (deepCopy .Values.config) (include "bellringer.config.own" . | fromJson) -}}
# Made by Helm from the values of the release {{ .Release.Name }}.
{{- range $section, $keys := $sections }}
{{- if $keys }}

[{{ include "bellringer.toml.key" $section }}]
{{- range $key, $value := $keys }}
{{- if not (kindIs "invalid" $value) }}
{{ include "bellringer.toml.key" $key }} = {{ include "bellringer.toml" (dict "at" (printf "%s.%s" $section $key) "value" $value) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{ end }}
