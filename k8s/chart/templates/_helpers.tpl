{{/* Names, labels, and what all pods have in common. */}}

{{- define "longhand.name" -}}
{{- $name := .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- contains "longhand" $name | ternary $name (printf "%s-longhand" $name) -}}
{{- end }}

{{/* (dict "root" $ "part" "api") */}}
{{- define "longhand.selector" -}}
app.kubernetes.io/name: longhand
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .part }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{/* The same as a LabelSelector, on one line. */}}
{{- define "longhand.selecting" -}}
{{- dict "matchLabels" (include "longhand.selector" . | fromYaml) | toJson }}
{{- end }}

{{- define "longhand.labels" -}}
{{ include "longhand.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "longhand.image" -}}
{{- $repository := required "image.repository: give the image of the repository's Dockerfile" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{ $repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "longhand.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.user.uid }}
runAsGroup: {{ .Values.user.gid }}
fsGroup: {{ .Values.user.gid }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "longhand.containerSecurity" -}}
runAsNonRoot: true
privileged: false
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* (dict "name" "DATABASE_URL" "secret" "…" "key" "…" "setting" "database.existingSecret") */}}
{{- define "longhand.secretEnv" -}}
- name: {{ .name }}
  valueFrom: { secretKeyRef: { name: {{ required (printf "%s: give the name of a secret" .setting) .secret | quote }}, key: {{ .key | quote }} } }
{{- end }}

{{/* How each part reaches Temporal. */}}
{{- define "longhand.temporalEnv" -}}
{{- with .Values.temporal }}
- { name: TEMPORAL_ADDRESS, value: {{ required "temporal.address: give host:port of your Temporal server" .address | quote }} }
- { name: TEMPORAL_NAMESPACE, value: {{ .namespace | quote }} }
{{- if .apiKey.existingSecret }}
{{ include "longhand.secretEnv" (dict "name" "TEMPORAL_API_KEY" "secret" .apiKey.existingSecret "key" .apiKey.key "setting" "temporal.apiKey.existingSecret") }}
{{- end }}
{{- if or .tls.enabled .tls.existingSecret }}
- { name: TEMPORAL_TLS, value: "true" }
{{- end }}
{{- with .tls.serverName }}
- { name: TEMPORAL_TLS_SERVER_NAME, value: {{ . | quote }} }
{{- end }}
{{- if .tls.existingSecret }}
{{- with .tls.keys.ca }}
- { name: TEMPORAL_TLS_SERVER_CA_CERT_PATH, value: /etc/longhand/temporal/ca.crt }
{{- end }}
{{- with .tls.keys.cert }}
- { name: TEMPORAL_TLS_CLIENT_CERT_PATH, value: /etc/longhand/temporal/tls.crt }
{{- end }}
{{- with .tls.keys.key }}
- { name: TEMPORAL_TLS_CLIENT_KEY_PATH, value: /etc/longhand/temporal/tls.key }
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "longhand.temporalMounts" -}}
{{- if .Values.temporal.tls.existingSecret }}
- { name: temporal-tls, mountPath: /etc/longhand/temporal, readOnly: true }
{{- end }}
{{- end }}

{{- define "longhand.temporalVolumes" -}}
{{- with .Values.temporal.tls }}
{{- if .existingSecret }}
- name: temporal-tls
  secret:
    secretName: {{ .existingSecret | quote }}
    defaultMode: 0440
    items:
      {{- with .keys.ca }}
      - { key: {{ . | quote }}, path: ca.crt }
      {{- end }}
      {{- with .keys.cert }}
      - { key: {{ . | quote }}, path: tls.crt }
      {{- end }}
      {{- with .keys.key }}
      - { key: {{ . | quote }}, path: tls.key }
      {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Name of the blob store's claim; empty with a bucket. */}}
{{- define "longhand.claim" -}}
{{- with .Values.blobStore }}
{{- if gt (len (compact (list .url .existingClaim (ternary "create" "" .create)))) 1 }}
{{- fail "blobStore: give only one of url, existingClaim and create" -}}
{{- else if .existingClaim -}}
{{ .existingClaim }}
{{- else if .create -}}
{{ include "longhand.name" $ }}-blobs
{{- else if not .url -}}
{{- fail "blobStore: give the url of a bucket, or the existingClaim of a volume that all pods can mount at once" -}}
{{- end }}
{{- end }}
{{- end }}

{{- define "longhand.blobEnv" -}}
{{- with .Values.blobStore }}
- { name: BLOB_URL, value: {{ .url | default "file:///srv/longhand/blobs" | quote }} }
{{- if and .url .existingSecret }}
{{ include "longhand.secretEnv" (dict "name" "AWS_ACCESS_KEY_ID" "secret" .existingSecret "key" .keys.accessKeyId "setting" "blobStore.existingSecret") }}
{{ include "longhand.secretEnv" (dict "name" "AWS_SECRET_ACCESS_KEY" "secret" .existingSecret "key" .keys.secretAccessKey "setting" "blobStore.existingSecret") }}
{{- end }}
{{- end }}
{{- end }}

{{/* A rule of an egress policy: (dict "way" .Values.network.database "setting" "network.database") */}}
{{- define "longhand.way" -}}
- to:
    {{- required (printf "%s.to: give at least one peer; an empty list would mean everybody" .setting) .way.to | toYaml | nindent 4 }}
  ports:
    {{- range .way.ports }}
    - { port: {{ . }}, protocol: TCP }
    {{- end }}
{{- end }}

{{- define "longhand.wayToBlobs" -}}
{{- if .Values.blobStore.url }}
{{ include "longhand.way" (dict "way" .Values.network.blobStore "setting" "network.blobStore") }}
{{- end }}
{{- end }}

{{- define "longhand.wayToDns" -}}
{{- with .Values.network.dns }}
{{- if .to }}
- to:
    {{- toYaml .to | nindent 4 }}
  ports:
    {{- range .ports }}
    - { port: {{ . }}, protocol: UDP }
    - { port: {{ . }}, protocol: TCP }
    {{- end }}
{{- end }}
{{- end }}
{{- end }}
