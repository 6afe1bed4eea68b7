{{/* Renders a text or any value that may hold templates. */}}
{{- define "common.render" -}}
{{- $value := typeIs "string" .value | ternary .value (.value | toYaml) }}
{{- if contains "{{" $value }}{{ tpl $value .context }}{{ else }}{{ $value }}{{ end }}
{{- end -}}

{{- define "common.labels" -}}
{{- $own := dict "app.kubernetes.io/name" .context.Chart.Name "app.kubernetes.io/instance" .context.Release.Name "app.kubernetes.io/component" .component }}
{{- merge $own (default dict .context.Values.commonLabels) | toYaml }}
{{- end -}}

{{- define "common.deployment" -}}
{{- $defaults := deepCopy .context.Values.defaults }}
{{- $one := mergeOverwrite $defaults .spec }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .context.Release.Name }}-{{ .component }}
  labels:
    {{- include "common.labels" (pick . "context" "component") | nindent 4 }}
spec:
  replicas: {{ $one.replicas | int }}
  selector:
    matchLabels:
      {{- include "common.labels" (pick . "context" "component") | nindent 6 }}
  template:
    spec:
      containers:
        - name: {{ .component }}
          image: {{ include "common.render" (dict "value" $one.image "context" .context) }}
          args: {{ include "common.render" (dict "value" $one.args "context" .context) | nindent 12 }}
          {{- with $one.resources }}
          resources: {{ toYaml . | nindent 12 }}
          {{- end }}
{{- end -}}
