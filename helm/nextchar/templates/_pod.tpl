{{- define "nextchar.podSpec" -}}
serviceAccountName: {{ include "nextchar.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ include "nextchar.graceSeconds" . }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext: {{- include "nextchar.podSecurity" . | nindent 2 }}
{{- if eq .Values.models.source "init" }}
initContainers:
  - {{- include "nextchar.modelsContainer" . | nindent 4 }}
{{- end }}
containers:
  - name: nextchar
    image: {{ include "nextchar.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args: [serve]
    ports:
      - {name: http, containerPort: {{ int .Values.service.httpPort }}}
      - {name: grpc, containerPort: {{ int .Values.service.grpcPort }}}
      - {name: metrics, containerPort: {{ int .Values.service.metricsPort }}}
    envFrom:
      - configMapRef: {name: {{ include "nextchar.fullname" . }}}
    env: {{- include "nextchar.secretEnv" . | nindent 6 }}
    {{- include "nextchar.probes" . | nindent 4 }}
    lifecycle: {{- include "nextchar.lifecycle" . | nindent 6 }}
    resources: {{- toYaml .Values.resources | nindent 6 }}
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
    topologyKey: {{ . }}
    whenUnsatisfiable: {{ $.Values.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels: {{- include "nextchar.serverSelector" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "nextchar.secretEnv" -}}
- name: NEXTCHAR_STATE_KEY
  valueFrom:
    secretKeyRef: {name: {{ include "nextchar.stateSecret" . }}, key: {{ .Values.sessions.stateKey.key }}}
{{- if eq .Values.sessions.store "valkey" }}
- name: NEXTCHAR_SESSION_STORE
  valueFrom:
    secretKeyRef: {name: {{ include "nextchar.storeSecret" . }}, key: {{ .Values.sessions.valkey.key }}}
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
image: {{ .Values.models.init.image }}
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
  - secretRef: {name: {{ . }}}
{{- end }}
resources: {{- toYaml .Values.resources | nindent 2 }}
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
  persistentVolumeClaim: {claimName: {{ .Values.models.existingClaim }}, readOnly: true}
{{- else if eq .Values.models.source "init" }}
- name: models
  emptyDir: {sizeLimit: {{ .Values.models.init.sizeLimit }}}
{{- end }}
{{- if and (eq .Values.sessions.store "disk") (or .Values.sessions.disk.existingClaim (eq .Values.kind "Deployment")) }}
- name: data
  persistentVolumeClaim: {claimName: {{ default (include "nextchar.fullname" .) .Values.sessions.disk.existingClaim }}}
{{- end }}
{{- if .Values.auth.enabled }}
- name: keys
  secret: {secretName: {{ include "nextchar.authSecret" . }}, defaultMode: 0440}
{{- end }}
{{- if .Values.tls.enabled }}
- name: tls
  secret: {secretName: {{ include "nextchar.tlsSecret" . }}, defaultMode: 0440}
{{- end }}
{{- end }}

{{/* The spec of a claim from its values. */}}
{{- define "nextchar.claim" -}}
accessModes: {{ toJson (default (list "ReadWriteOnce") .accessModes) }}
{{- with .storageClassName }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests: {storage: {{ .size }}}
{{- end }}
