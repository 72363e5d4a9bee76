{{- define "nextchar.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* A name that every object may have. Those of Services are the strictest (RFC 1035): letters, digits and dashes, a letter first. */}}
{{- define "nextchar.objectName" -}}
{{- $name := regexReplaceAll "[^a-z0-9-]" (lower .name) "-" -}}
{{- $name = regexMatch "^[a-z]" $name | ternary $name (printf "r-%s" $name) -}}
{{ trunc .max $name | trimAll "-" }}
{{- end }}

{{- define "nextchar.fullname" -}}
{{- $name := include "nextchar.name" . -}}
{{- $whole := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{ include "nextchar.objectName" (dict "max" 50 "name" (default $whole .Values.fullnameOverride)) }}
{{- end }}

{{/* A StatefulSet's pods carry its name and 11 characters in a label of 63. */}}
{{- define "nextchar.valkeyName" -}}
{{ printf "%s-valkey" (include "nextchar.fullname" . | trunc 45 | trimSuffix "-") }}
{{- end }}

{{- define "nextchar.labels" -}}
{{ include "nextchar.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end }}

{{/* The chart's labels and a user's, which may not be among them. */}}
{{- define "nextchar.labelsWith" -}}
{{- $own := include "nextchar.labels" .root | fromYaml -}}
{{- with .component }}{{- $_ := set $own "app.kubernetes.io/component" . }}{{- end -}}
{{- $more := default dict .labels -}}
{{- range $label, $text := $more }}
{{- if hasKey $own $label }}{{ fail (printf "%s: the chart itself sets %s; leave it out" $.value $label) }}{{ end }}
{{- end -}}
{{ toYaml (merge $own $more) }}
{{- end }}

{{- define "nextchar.selector" -}}
app.kubernetes.io/name: {{ include "nextchar.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
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
{{- if and .Values.ingress.enabled .Values.ingress.host }}{{ .Values.ingress.host }},{{ end -}}
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
{{- $usual := include "nextchar.shutdownTimeoutSeconds" . | float64 -}}
{{- $timeout := hasKey .Values.config "shutdown_timeout_seconds" | ternary .Values.config.shutdown_timeout_seconds $usual -}}
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
{{- range $folder := list "models" "judges" }}
{{- $from := index $v $folder }}
{{- if and (eq $from.source "claim") (not $from.existingClaim) }}
{{- fail (printf "%s.source is claim: set %s.existingClaim" $folder $folder) }}
{{- end }}
{{- if and (eq $from.source "init") (not $from.init.image) }}
{{- fail (printf "%s.source is init: set %s.init.image" $folder $folder) }}
{{- end }}
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
{{- $requests := dig "requests" dict (default dict $v.resources) -}}
{{- $limits := dig "limits" dict (default dict $v.resources) -}}
{{- if and $v.autoscaling.enabled $v.autoscaling.targetCPUUtilizationPercentage (not (or (hasKey $requests "cpu") (hasKey $limits "cpu"))) }}
{{- fail "autoscaling.targetCPUUtilizationPercentage is a share of resources.requests.cpu: set that, or the target to null" }}
{{- end }}
{{- if and $v.ingress.enabled (not $v.ingress.host) (not $v.ingress.grpcHost) }}
{{- fail "ingress.enabled: set ingress.host, ingress.grpcHost or both" }}
{{- end }}
{{- if and $v.ingress.enabled $v.ingress.grpcHost (not $v.ingress.tlsSecret) }}
{{- fail "ingress.grpcHost: ingress-nginx speaks HTTP/2 over TLS alone; set ingress.tlsSecret" }}
{{- end }}
{{- if hasKey (default dict $v.podAnnotations) "checksum/config" }}
{{- fail "podAnnotations: the chart itself sets checksum/config; leave it out" }}
{{- end }}
{{- range $variable := $v.extraEnv }}
{{- range $name, $value := fromYaml (include "nextchar.decided" $) }}
{{- if eq $variable.name $name }}
{{- fail (printf "extraEnv: %s is set by the value %s; set that" $name $value) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and $v.training.enabled (not $v.training.image) }}
{{- fail "training.enabled: set training.image, one with the training package (docs/deploy.md)" }}
{{- end }}
{{- end }}
