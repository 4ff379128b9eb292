{{- define "gatehold.name" -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "gatehold.selector" -}}
app.kubernetes.io/name: gatehold
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: control
{{- end }}

{{- define "gatehold.labels" -}}
{{ include "gatehold.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "gatehold.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "gatehold.documents" -}}
{{- if and .Values.documents .Values.documentsConfigMap }}
{{- fail "`documents` and `documentsConfigMap` are both set; use one of them" }}
{{- else if not (or .Values.documents .Values.documentsConfigMap) }}
{{- fail "there are no documents; set `documents` (--set-file documents.policies\\.yaml=policies.yaml …) or `documentsConfigMap`" }}
{{- end }}
{{- .Values.documentsConfigMap | default (printf "%s-documents" (include "gatehold.name" .)) }}
{{- end }}
