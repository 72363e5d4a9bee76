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
{{- if or (eq .Values.models.source "init") (eq .Values.judges.source "init") }}
initContainers:
  {{- range $folder := list "models" "judges" }}
  {{- if eq (index $.Values $folder).source "init" }}
  - {{- include "nextchar.fetchContainer" (dict "root" $ "folder" $folder) | nindent 4 }}
  {{- end }}
  {{- end }}
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

{{/* Fills the folder of models or of judges before the server starts. */}}
{{- define "nextchar.fetchContainer" -}}
{{- $init := (index .root.Values .folder).init -}}
name: {{ .folder }}
image: {{ $init.image | quote }}
imagePullPolicy: IfNotPresent
{{- with $init.command }}
command: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $init.args }}
args: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $init.env }}
env: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $init.existingSecret }}
envFrom:
  - secretRef: {name: {{ . | quote }}}
{{- end }}
resources: {{- toYaml (default dict .root.Values.resources) | nindent 2 }}
securityContext: {{- include "nextchar.containerSecurity" .root | nindent 2 }}
volumeMounts:
  - {name: {{ .folder }}, mountPath: /{{ .folder }}}
  - {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "nextchar.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- range $folder := list "models" "judges" }}
{{- if ne (index $.Values $folder).source "image" }}
- {name: {{ $folder }}, mountPath: /{{ $folder }}, readOnly: true}
{{- end }}
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
{{- range $folder := list "models" "judges" }}
{{- $from := index $.Values $folder }}
{{- if eq $from.source "claim" }}
- name: {{ $folder }}
  persistentVolumeClaim: {claimName: {{ $from.existingClaim | quote }}, readOnly: true}
{{- else if eq $from.source "init" }}
- name: {{ $folder }}
  emptyDir: {sizeLimit: {{ $from.init.sizeLimit | quote }}}
{{- end }}
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
