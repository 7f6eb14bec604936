{{/* What each part is told, and nothing of the others'. Longhand itself refuses to start with another's secret. */}}

{{- define "longhand.databaseEnv" -}}
{{ include "longhand.secretEnv" (dict "name" "DATABASE_URL" "secret" .Values.database.existingSecret "key" .Values.database.key "setting" "database.existingSecret") }}
{{- end }}

{{/* What api and brain both read. */}}
{{- define "longhand.sharedEnv" -}}
{{ include "longhand.databaseEnv" . }}
{{- range $name, $value := .Values.settings }}
- { name: {{ $name }}, value: {{ $value | quote }} }
{{- end }}
{{- if .Values.models }}
- { name: LONGHAND_MODELS, value: /etc/longhand/models/models.yaml }
{{- end }}
{{- end }}

{{- define "longhand.apiEnv" -}}
{{ include "longhand.sharedEnv" . }}
{{- with .Values.api }}
{{ include "longhand.secretEnv" (dict "name" "LONGHAND_API_KEY" "secret" .existingSecret "key" .key "setting" "api.existingSecret") }}
- { name: LONGHAND_HOST, value: {{ .host | quote }} }
- { name: LONGHAND_PORT, value: "8787" }
{{- with .allowedOrigins }}
- { name: LONGHAND_ALLOWED_ORIGINS, value: {{ join "," . | quote }} }
{{- end }}
{{- end }}
{{- end }}

{{- define "longhand.brainEnv" -}}
{{ include "longhand.sharedEnv" . }}
{{- with .Values.model }}
{{ include "longhand.secretEnv" (dict "name" "MODEL_API_KEY" "secret" .existingSecret "key" .key "setting" "model.existingSecret") }}
{{- with .baseUrl }}
- { name: MODEL_BASE_URL, value: {{ . | quote }} }
{{- end }}
{{- with .auth }}
- { name: MODEL_AUTH, value: {{ . | quote }} }
{{- end }}
{{- with .version }}
- { name: MODEL_VERSION, value: {{ . | quote }} }
{{- end }}
{{- if .headersKey }}
{{ include "longhand.secretEnv" (dict "name" "MODEL_HEADERS" "secret" .existingSecret "key" .headersKey "setting" "model.existingSecret") }}
{{- end }}
{{- end }}
{{- end }}

{{- define "longhand.handsEnv" -}}
{{ include "longhand.secretEnv" (dict "name" "LONGHAND_SANDBOX_KEY" "secret" .Values.hands.existingSecret "key" .Values.hands.key "setting" "hands.existingSecret") }}
- { name: LONGHAND_SANDBOX, value: kubernetes }
{{- with .Values.sandboxes }}
- { name: LONGHAND_KUBERNETES_NAMESPACE, value: {{ .namespace | quote }} }
- { name: LONGHAND_SANDBOX_IMAGE, value: {{ required "sandboxes.image: give the image of k8s/image/Dockerfile" .image | quote }} }
- { name: LONGHAND_SANDBOX_RESERVE, value: {{ .reserve | quote }} }
- { name: LONGHAND_WARM_POOL, value: {{ .warmPool | quote }} }
- { name: LONGHAND_RUNTIME_CLASS, value: {{ .runtimeClass.name | quote }} }
{{- end }}
{{- end }}
