{{/* Which database there is, and how the server learns its URL. */}}

{{/* `external`, `cloudnativepg` or `trial`. */}}
{{- define "bellringer.database.kind" -}}
{{- $given := or .Values.database.existingSecret.name .Values.database.url }}
{{- if and $given .Values.cloudnativepg.enabled }}
{{- fail "two databases: give database.existingSecret or database.url, or set cloudnativepg.enabled, not both" }}
{{- end }}
{{- if and .Values.database.existingSecret.name .Values.database.url }}
{{- fail "two databases: give database.existingSecret or database.url, not both" }}
{{- end }}
{{- if $given }}external
{{- else if .Values.cloudnativepg.enabled }}cloudnativepg
{{- else if .Values.postgres.enabled }}trial
{{- else }}
{{- fail "no database: give database.existingSecret.name or database.url, or set cloudnativepg.enabled; postgres.enabled brings one for trying out" }}
{{- end }}
{{- end }}

{{/*
A release that was on another database must not wake up on that for trying out, because an upgrade forgot a
value. Without a cluster (`helm template`) nothing can be looked up, and nothing is refused.
*/}}
{{- define "bellringer.database.guard" -}}
{{- if eq (include "bellringer.database.kind" .) "trial" }}
{{- $running := lookup "apps/v1" "Deployment" .Release.Namespace (include "bellringer.fullname" .) }}
{{- range dig "spec" "template" "spec" "containers" list $running }}
{{- range .env }}
{{- $secret := dig "valueFrom" "secretKeyRef" "name" "" . }}
{{- if and (eq .name "BELLRINGER_DATABASE_URL") (ne $secret (include "bellringer.postgres.name" $)) }}
{{- fail (printf "this release uses the database of the Secret %s, and this upgrade names none: it would go on with the one for trying out. Give the values of the database again (helm upgrade --reuse-values keeps them)" $secret) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "bellringer.postgres.name" -}}
{{ include "bellringer.fullname" . }}-postgres
{{- end }}

{{- define "bellringer.cluster.name" -}}
{{ include "bellringer.fullname" . }}-db
{{- end }}

{{/* Secret and keys, as a map: {name, url, direct}. */}}
{{- define "bellringer.database.secret" -}}
{{- $kind := include "bellringer.database.kind" . }}
{{- $given := .Values.database.existingSecret }}
{{- if eq $kind "trial" }}
{{- dict "name" (include "bellringer.postgres.name" .) "url" "url" "direct" "" | toJson }}
{{- else if eq $kind "cloudnativepg" }}
{{- dict "name" (printf "%s-app" (include "bellringer.cluster.name" .)) "url" "uri" "direct" "" | toJson }}
{{- else if $given.name }}
{{- dict "name" $given.name "url" $given.urlKey "direct" $given.directUrlKey | toJson }}
{{- else }}
{{- dict "name" (printf "%s-database" (include "bellringer.fullname" .)) "url" "url" "direct" (ternary "direct-url" "" (not (empty .Values.database.directUrl))) | toJson }}
{{- end }}
{{- end }}

{{- define "bellringer.database.fromSecret" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 }}
      key: {{ index . 2 }}
{{- end }}

{{- define "bellringer.database.env" -}}
{{- $secret := include "bellringer.database.secret" . | fromJson }}
{{- include "bellringer.database.fromSecret" (list "BELLRINGER_DATABASE_URL" $secret.name $secret.url) }}
{{- with $secret.direct }}
{{ include "bellringer.database.fromSecret" (list "BELLRINGER__STORE__DIRECT_URL" $secret.name .) }}
{{- end }}
{{- include "bellringer.database.caEnv" . }}
{{- end }}

{{/* Migrations hold a lock of their session, and so go past a pooler. */}}
{{- define "bellringer.migrations.env" -}}
{{- $secret := include "bellringer.database.secret" . | fromJson }}
{{- $owner := .Values.migrations.existingSecret }}
{{- if and $owner.name (eq .Values.migrations.mode "hook") }}
{{- include "bellringer.database.fromSecret" (list "BELLRINGER_DATABASE_URL" $owner.name $owner.urlKey) }}
{{- else }}
{{- include "bellringer.database.fromSecret" (list "BELLRINGER_DATABASE_URL" $secret.name (default $secret.url $secret.direct)) }}
{{- end }}
{{- include "bellringer.database.caEnv" . }}
{{- end }}

{{- define "bellringer.database.caEnv" -}}
{{- with .Values.database.caSecret.name }}
- name: PGSSLROOTCERT
  value: /etc/bellringer/database-ca/ca.crt
{{- end }}
{{- end }}

{{- define "bellringer.database.caVolume" -}}
{{- with .Values.database.caSecret }}
{{- if .name }}
- name: database-ca
  secret:
    secretName: {{ .name }}
    items: [{key: {{ .key | quote }}, path: ca.crt}]
{{- end }}
{{- end }}
{{- end }}

{{- define "bellringer.database.caMount" -}}
{{- if .Values.database.caSecret.name }}
- name: database-ca
  mountPath: /etc/bellringer/database-ca
  readOnly: true
{{- end }}
{{- end }}
