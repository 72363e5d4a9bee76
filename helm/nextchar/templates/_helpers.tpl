{{- define "nextchar.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "nextchar.fullname" -}}
{{- $name := include "nextchar.name" . -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "nextchar.labels" -}}
{{ include "nextchar.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "nextchar.selector" -}}
app.kubernetes.io/name: {{ include "nextchar.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "nextchar.serverSelector" -}}
{{ include "nextchar.selector" . }}
app.kubernetes.io/component: server
{{- end }}

{{- define "nextchar.image" -}}
{{- $image := .Values.image -}}
{{ $image.repository }}{{ if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default .Chart.AppVersion $image.tag }}{{ end }}
{{- end }}

{{- define "nextchar.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "nextchar.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{/* What Pod Security's "restricted" profile requires of a pod and of a container, and a read-only root. */}}
{{- define "nextchar.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.runAsUser }}
runAsUser: {{ int64 . }}
runAsGroup: {{ int64 . }}
{{- end }}
{{- with .Values.fsGroup }}
fsGroup: {{ int64 . }}
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "nextchar.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* The names of the Services inside the cluster; nobody outside it can own a name below .svc or .cluster.local. */}}
{{- define "nextchar.hosts" -}}
{{- $name := include "nextchar.fullname" . -}}
{{ $name }},{{ $name }}.{{ .Release.Namespace }},{{ $name }}-headless,{{ $name }}-headless.{{ .Release.Namespace }},*.svc,*.cluster.local
{{- end }}

{{/* The value of a setting as an environment variable. Helm has turned YAML's numbers into floats; lists become JSON. */}}
{{- define "nextchar.settingValue" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}
{{ printf "%.0f" . }}
{{- else if or (kindIs "slice" .) (kindIs "map" .) -}}
{{ toJson . }}
{{- else -}}
{{ toString . }}
{{- end -}}
{{- end }}

{{/* Seconds from the decision to end a pod to its being killed: traffic moves away, requests finish, a margin. */}}
{{- define "nextchar.graceSeconds" -}}
{{- $timeout := .Values.config.shutdown_timeout_seconds -}}
{{ add (int .Values.drain.preStopSeconds) (int (ceil $timeout)) (int .Values.drain.marginSeconds) }}
{{- end }}

{{- define "nextchar.stateSecret" -}}
{{ default (printf "%s-state" (include "nextchar.fullname" .)) .Values.sessions.stateKey.existingSecret }}
{{- end }}

{{- define "nextchar.authSecret" -}}
{{ default (printf "%s-keys" (include "nextchar.fullname" .)) .Values.auth.existingSecret }}
{{- end }}

{{- define "nextchar.tlsSecret" -}}
{{ default (printf "%s-tls" (include "nextchar.fullname" .)) .Values.tls.existingSecret }}
{{- end }}

{{- define "nextchar.storeSecret" -}}
{{ default (printf "%s-store" (include "nextchar.fullname" .)) .Values.sessions.valkey.existingSecret }}
{{- end }}

{{/* The value in this release's Secret if there is one, otherwise a new random one. So an upgrade keeps it. */}}
{{- define "nextchar.keptSecret" -}}
{{- $found := lookup "v1" "Secret" .root.Release.Namespace .name -}}
{{- with dig "data" .key "" (default dict $found) -}}
{{ b64dec . }}
{{- else -}}
{{ randAlphaNum 48 }}
{{- end -}}
{{- end }}

{{/* Refuses combinations of values that the schema cannot check. */}}
{{- define "nextchar.check" -}}
{{- $v := .Values -}}
{{- $valkey := eq $v.sessions.store "valkey" -}}
{{- $address := or $v.sessions.valkey.url $v.sessions.valkey.existingSecret -}}
{{- if and $valkey (not $v.valkey.enabled) (not $address) }}
{{- fail "sessions.store is valkey: set sessions.valkey.url or sessions.valkey.existingSecret, or valkey.enabled for a Valkey of this release" }}
{{- end }}
{{- if and $v.valkey.enabled (or (not $valkey) $address) }}
{{- fail "valkey.enabled runs a Valkey for this release: set sessions.store to valkey, and neither sessions.valkey.url nor sessions.valkey.existingSecret" }}
{{- end }}
{{- if and (eq $v.sessions.store "disk") (eq $v.kind "Deployment") (or $v.autoscaling.enabled (gt (int $v.replicaCount) 1)) }}
{{- fail "sessions.store is disk: a Deployment's pods cannot share its file; set kind to StatefulSet, or replicaCount to 1 and autoscaling.enabled to false" }}
{{- end }}
{{- if and (eq $v.models.source "claim") (not $v.models.existingClaim) }}
{{- fail "models.source is claim: set models.existingClaim" }}
{{- end }}
{{- if and (eq $v.models.source "init") (not $v.models.init.image) }}
{{- fail "models.source is init: set models.init.image" }}
{{- end }}
{{- if and $v.auth.enabled (not $v.auth.keys) (not $v.auth.existingSecret) }}
{{- fail "auth.enabled: set auth.keys or auth.existingSecret" }}
{{- end }}
{{- if and $v.tls.enabled (not $v.tls.existingSecret) (not (and $v.tls.cert $v.tls.key)) }}
{{- fail "tls.enabled: set tls.existingSecret, or tls.cert and tls.key" }}
{{- end }}
{{- if and $v.tls.clientCerts (not $v.tls.existingSecret) (not $v.tls.clientCa) }}
{{- fail "tls.clientCerts: set tls.clientCa, or tls.existingSecret with a ca.crt" }}
{{- end }}
{{- if and $v.tls.enabled (eq $v.probes.type "grpc") }}
{{- fail "probes.type is grpc: Kubernetes' gRPC probes cannot speak TLS; set probes.type to http" }}
{{- end }}
{{- if and $v.training.enabled (not $v.training.image) }}
{{- fail "training.enabled: set training.image, one with the training package (docs/deploy.md)" }}
{{- end }}
{{- end }}
