{{/* Made by `make chart` of the server's settings. */}}

{{/* The server's own shutdown_timeout_seconds, where config has none. */}}
{{- define "nextchar.shutdownTimeoutSeconds" -}}
20
{{- end }}

{{/* Variables that other values set. */}}
{{- define "nextchar.decided" -}}
NEXTCHAR_API_KEYS_FILE: auth
NEXTCHAR_CONFIG: config
NEXTCHAR_DATA_DIR: sessions
NEXTCHAR_GRPC_PORT: service
NEXTCHAR_HOST: service
NEXTCHAR_HTTP_PORT: service
NEXTCHAR_JUDGES: judges
NEXTCHAR_METRICS_PORT: service
NEXTCHAR_MODELS: models
NEXTCHAR_SESSION_STORE: sessions
NEXTCHAR_STATE_KEY: sessions
NEXTCHAR_TLS_CERTIFICATE_FILE: tls
NEXTCHAR_TLS_CLIENT_CA_FILE: tls
NEXTCHAR_TLS_KEY_FILE: tls
{{- end }}
