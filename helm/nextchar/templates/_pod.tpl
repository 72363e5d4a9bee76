{{- define "nextchar.podSpec" -}}
serviceAccountName: {{ include "nextchar.serviceAccountName" . | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ include "nextchar.graceSeconds" . }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
securityContext: {{- include "nextchar.podSecurity" . | nindent 2 }}
{{- if eq .Values.models.source "init" }}
initContainers:
  - {{- include "nextchar.modelsContainer" . | nindent 4 }}
{{- end }}
containers:
  - name: nextchar
    image: {{ include "nextchar.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy | quote }}
    args: [serve]
    ports:
      - {name: http, containerPort: {{ int .Values.service.httpPort }}}
      - {name: grpc, containerPort: {{ int .Values.service.grpcPort }}}
      - {name: metrics, containerPort: {{ int .Values.service.metricsPort }}}
    envFrom:
      - configMapRef: {name: {{ include "nextchar.fullname" . | quote }}}
    env: {{- include "nextchar.secretEnv" . | nindent 6 }}
      {{- with .Values.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- include "nextchar.probes" . | nindent 4 }}
    lifecycle: {{- include "nextchar.lifecycle" . | nindent 6 }}
    resources: {{- toYaml (default dict .Values.resources) | nindent 6 }}
    securityContext: {{- include "nextchar.containerSecurity" . | nindent 6 }}
    volumeMounts: {{- include "nextchar.mounts" . | nindent 6 }}
volumes: {{- include "nextchar.volumes" . | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.topologySpread.enabled }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . | quote }}
    whenUnsatisfiable: {{ $.Values.topologySpread.whenUnsatisfiable | quote }}
    labelSelector:
      matchLabels: {{- include "nextchar.serverSelector" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "nextchar.secretEnv" -}}
- name: NEXTCHAR_STATE_KEY
  valueFrom:
    secretKeyRef: {name: {{ include "nextchar.stateSecret" . | quote }}, key: {{ .Values.sessions.stateKey.key | quote }}}
{{- if eq .Values.sessions.store "valkey" }}
- name: NEXTCHAR_SESSION_STORE
  valueFrom:
    secretKeyRef: {name: {{ include "nextchar.storeSecret" . | quote }}, key: {{ .Values.sessions.valkey.key | quote }}}
{{- end }}
{{- end }}

{{/* Before SIGTERM, the pod serves for as long as others may still send it requests. */}}
{{- define "nextchar.lifecycle" -}}
preStop:
  {{- if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version }}
  sleep: {seconds: {{ int .Values.drain.preStopSeconds }}}
  {{- else }}
  exec: {command: [python3, -c, "import time; time.sleep({{ int .Values.drain.preStopSeconds }})"]}
  {{- end }}
{{- end }}

{{- define "nextchar.probes" -}}
{{- $probes := .Values.probes -}}
{{- range $kind := list "startup" "readiness" "liveness" }}
{{ $kind }}Probe:
  {{- if eq $probes.type "grpc" }}
  grpc: {port: {{ int $.Values.service.grpcPort }}{{ if eq $kind "liveness" }}, service: liveness{{ end }}}
  {{- else if and $.Values.tls.enabled $.Values.tls.clientCerts }}
  # A kubelet has no client certificate, so the probe only connects. The port is open from when the models are loaded until the drain.
  tcpSocket: {port: http}
  {{- else }}
  httpGet:
    path: /v2/health/{{ eq $kind "liveness" | ternary "live" "ready" }}
    port: http
    {{- if $.Values.tls.enabled }}
    scheme: HTTPS
    {{- end }}
  {{- end }}
  {{- range $name, $value := index $probes $kind }}
  {{ $name }}: {{ int $value }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "nextchar.modelsContainer" -}}
name: models
image: {{ .Values.models.init.image | quote }}
imagePullPolicy: IfNotPresent
{{- with .Values.models.init.command }}
command: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.models.init.args }}
args: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.models.init.env }}
env: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.models.init.existingSecret }}
envFrom:
  - secretRef: {name: {{ . | quote }}}
{{- end }}
resources: {{- toYaml (default dict .Values.resources) | nindent 2 }}
securityContext: {{- include "nextchar.containerSecurity" . | nindent 2 }}
volumeMounts:
  - {name: models, mountPath: /models}
  - {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "nextchar.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if ne .Values.models.source "image" }}
- {name: models, mountPath: /models, readOnly: true}
{{- end }}
{{- if eq .Values.sessions.store "disk" }}
- {name: data, mountPath: /data}
{{- end }}
{{- if .Values.auth.enabled }}
- {name: keys, mountPath: /etc/nextchar/keys, readOnly: true}
{{- end }}
{{- if .Values.tls.enabled }}
- {name: tls, mountPath: /etc/nextchar/tls, readOnly: true}
{{- end }}
{{- end }}

{{- define "nextchar.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- if eq .Values.models.source "claim" }}
- name: models
  persistentVolumeClaim: {claimName: {{ .Values.models.existingClaim | quote }}, readOnly: true}
{{- else if eq .Values.models.source "init" }}
- name: models
  emptyDir: {sizeLimit: {{ .Values.models.init.sizeLimit | quote }}}
{{- end }}
{{- if and (eq .Values.sessions.store "disk") (or .Values.sessions.disk.existingClaim (eq .Values.kind "Deployment")) }}
- name: data
  persistentVolumeClaim: {claimName: {{ default (include "nextchar.fullname" .) .Values.sessions.disk.existingClaim | quote }}}
{{- end }}
{{- if .Values.auth.enabled }}
- name: keys
  secret: {secretName: {{ include "nextchar.authSecret" . | quote }}, defaultMode: 0440}
{{- end }}
{{- if .Values.tls.enabled }}
- name: tls
  secret: {secretName: {{ include "nextchar.tlsSecret" . | quote }}, defaultMode: 0440}
{{- end }}
{{- end }}

{{/* The spec of a claim from its values. */}}
{{- define "nextchar.claim" -}}
accessModes: {{ toJson (default (list "ReadWriteOnce") .accessModes) }}
{{- with .storageClassName }}
storageClassName: {{ . | quote }}
{{- end }}
resources:
  requests: {storage: {{ .size | quote }}}
{{- end }}
