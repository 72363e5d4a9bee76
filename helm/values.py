"""Defines the chart's values. `make chart` writes the schema and the table in the README from them."""

from helm.extras import extras
from helm.schema import (
    MAY_BE_NULL,
    Schema,
    anything,
    choice,
    environment,
    file_name,
    group,
    integer,
    list_of_anything,
    port,
    probe,
    pull_policy,
    quantity,
    resources,
    settings,
    string,
    strings,
    switch,
    typed,
    words,
)

_LABEL = "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
_HOST = r"^([a-z0-9*]([-a-z0-9.]*[a-z0-9])?)?$"


def values() -> Schema:
    """Returns the whole schema."""
    whole = group(
        "Values of nextchar's chart.",
        optional=MAY_BE_NULL,
        **(_naming() | _pods() | _server() | _around() | _ingress() | extras()),
    )
    properties = whole["properties"] | {
        "global": anything("Helm's own values; the chart does not read them.")
    }
    return {"$schema": "http://json-schema.org/draft-07/schema#", **whole, "properties": properties}


def _naming() -> dict[str, Schema]:
    return {
        "nameOverride": string("Replaces the chart's name in object names.", maxLength=40, pattern=_LABEL),
        "fullnameOverride": string(
            "Replaces the release's and the chart's name in object names. They have letters, digits and "
            "dashes alone, and a letter first: other characters become dashes, `r-` comes before a digit.",
            maxLength=50,
            pattern=_LABEL,
        ),
        "image": group(
            "The server's image, which you build and push.",
            repository=string("The image without its tag.", minLength=1),
            tag=string("The tag; by default the chart's appVersion.", pattern="^[-._a-zA-Z0-9]*$"),
            digest=string("The digest, instead of a tag.", pattern="^(sha256:[0-9a-f]{64})?$"),
            pullPolicy=pull_policy(),
            pullSecrets=strings("Names of Secrets with credentials for the registry."),
        ),
    }


def _pods() -> dict[str, Schema]:
    return {
        "kind": choice("The kind of object that runs the pods.", "Deployment", "StatefulSet"),
        "replicaCount": integer("The number of pods when autoscaling is off.", 0),
        "runAsUser": typed(
            ["integer", "null"], "The user id of the pods; null lets OpenShift choose it.", minimum=1
        ),
        "fsGroup": typed(
            ["integer", "null"], "The group id of volumes; null lets OpenShift choose it.", minimum=1
        ),
        "resources": resources(
            "Resources of a serving pod. The CPU limit decides how many engines run; without one, the cores "
            "of the node do, or config.engine_threads."
        ),
        "extraEnv": environment(
            "Additional environment variables of serving pods, with value or valueFrom; such as OTEL_…."
        ),
        "podAnnotations": words("Additional annotations of serving pods."),
        "podLabels": words("Additional labels of serving pods."),
        "nodeSelector": words("Labels of the nodes that serving pods may run on."),
        "tolerations": list_of_anything("Taints that serving pods tolerate."),
        "affinity": anything("Kubernetes affinity of serving pods."),
        "priorityClassName": string("The priority class of serving pods."),
        "topologySpread": group(
            "Spreads pods over zones and nodes.",
            enabled=switch("Whether to spread them."),
            whenUnsatisfiable=choice(
                "What to do if pods cannot be spread.", "ScheduleAnyway", "DoNotSchedule"
            ),
        ),
        "podDisruptionBudget": group(
            "A PodDisruptionBudget, which limits how many pods a node drain evicts at a time.",
            enabled=switch("Whether to create it."),
            maxUnavailable=integer("How many pods may be unavailable at a time.", 1),
        ),
        "serviceAccount": group(
            "The service account of the pods. No pod gets its token.",
            create=switch("Whether the chart creates it."),
            name=string("Its name; by default the release's, or `default` if none is created."),
            annotations=words("Its annotations."),
        ),
    }


def _server() -> dict[str, Schema]:
    return {
        "config": settings(),
        "drain": group(
            "How a pod terminates. terminationGracePeriodSeconds is the sum of these two and "
            "config.shutdown_timeout_seconds.",
            preStopSeconds=integer(
                "Seconds for which the pod still serves while traffic moves elsewhere.", 1
            ),
            marginSeconds=integer("Additional seconds before the pod is killed.", 1),
        ),
        "probes": group(
            "The probes of serving pods.",
            type=choice("The protocol of the probes.", "http", "grpc"),
            startup=probe("Succeeds once the models are loaded."),
            readiness=probe("Succeeds while the pod accepts requests."),
            liveness=probe("Succeeds while the process answers."),
        ),
        "models": _folder("models", "The image"),
        "judges": _folder("judges", "The folder /judges of the image, if it has one"),
        "sessions": _sessions(),
        "auth": group(
            "API keys.",
            enabled=switch("Whether requests need a key."),
            keys=string("The content of the keys file."),
            existingSecret=string("A Secret with the keys file."),
            key=file_name("The entry of the Secret."),
        ),
        "tls": group(
            "TLS for REST and gRPC.",
            enabled=switch("Whether to use TLS."),
            existingSecret=string("A Secret with tls.crt, tls.key and, for client certificates, ca.crt."),
            cert=string("The certificate in PEM."),
            key=string("The certificate's key in PEM."),
            clientCa=string("The authority that signs client certificates, in PEM."),
            clientCerts=switch("Whether clients must present a certificate."),
        ),
    }


def _folder(name: str, image: str) -> Schema:
    """Describes where the content of the folder of models or of judges comes from."""
    return group(
        f"Where the {name} come from, in folders `<name>/<version>/`.",
        source=choice(f"{image}, a claim, or an init container that fetches them.", "image", "claim", "init"),
        existingClaim=string("The PersistentVolumeClaim for source claim."),
        init=group(
            f"The init container that fills /{name} for source init.",
            image=string("Its image, with a tag."),
            command=strings("Its command."),
            args=strings("Its arguments."),
            env=environment("Its environment variables."),
            existingSecret=string("A Secret whose keys become environment variables of the container."),
            sizeLimit=quantity("The maximum size of the folder in bytes."),
        ),
    )


def _sessions() -> Schema:
    return group(
        "Where sessions are stored.",
        store=choice("The pod's memory, a file on a disk, or Valkey.", "memory", "disk", "valkey"),
        stateKey=group(
            "The key that seals states. The chart generates one if none is given; under GitOps, give one.",
            value=string("The key, of at least 32 characters.", pattern="^(.{32,})?$"),
            existingSecret=string("A Secret with the key."),
            key=file_name("The entry of the Secret."),
        ),
        disk=group(
            "The disk for store disk.",
            existingClaim=string("An existing claim."),
            size=quantity("The size in bytes of the claim that the chart creates."),
            storageClassName=string("Its storage class; by default the cluster's."),
            accessModes=strings("Its access modes."),
        ),
        valkey=group(
            "An existing Valkey for store valkey.",
            url=string(
                "The address, such as valkey://user:password@host:6379/0.",
                pattern="^((valkey|redis)s?(\\+sentinel)?://.+)?$",
            ),
            existingSecret=string("A Secret with the address."),
            key=file_name("The entry of the Secret."),
        ),
    )


def _around() -> dict[str, Schema]:
    return {
        "service": group(
            "The Service. A second one, `<name>-headless`, has the address of each pod.",
            type=choice("The type of the Service.", "ClusterIP", "NodePort", "LoadBalancer"),
            annotations=words("Annotations of both Services."),
            ipFamilyPolicy=string(
                "The families of addresses of both Services: `SingleStack`, `PreferDualStack` or "
                "`RequireDualStack`; by default the cluster's. Pods listen on both families.",
                pattern="^(SingleStack|PreferDualStack|RequireDualStack)?$",
            ),
            httpPort=port("The port of REST."),
            grpcPort=port("The port of gRPC."),
            metricsPort=port("The port of metrics."),
        ),
        "autoscaling": group(
            "A HorizontalPodAutoscaler.",
            enabled=switch("Whether to create it."),
            minReplicas=integer("The minimum number of pods.", 1),
            maxReplicas=integer("The maximum number of pods.", 1),
            targetCPUUtilizationPercentage=typed(
                ["integer", "null"], "Target CPU use in percent of the request; null for none.", minimum=1
            ),
            targetQueueSeconds=quantity(
                "Target mean wait for a lane (`50m` is 50 ms), a metric of the pods.", empty=True
            ),
            targetLanes=quantity("Target mean number of lanes in a step, a metric of the pods.", empty=True),
            scaleDownSeconds=integer(
                "Seconds for which fewer pods must have sufficed before scaling down.", 0, 3600
            ),
        ),
        "serviceMonitor": group(
            "A ServiceMonitor for Prometheus Operator.",
            enabled=switch("Whether to create it."),
            interval=string("The time between scrapes.", pattern="^[0-9]+(ms|s|m)$"),
            scrapeTimeout=string("The timeout of a scrape; at most interval.", pattern="^[0-9]+(ms|s|m)$"),
            labels=words("Labels by which your Prometheus selects it."),
        ),
        "prometheusRule": group(
            "A PrometheusRule with alerts for Prometheus Operator.",
            enabled=switch("Whether to create it."),
            labels=words("Labels by which your Prometheus selects it."),
        ),
        "dashboard": group(
            "A ConfigMap with a dashboard for Grafana's sidecar.",
            enabled=switch("Whether to create it."),
            labels=words("Labels by which the sidecar finds it."),
        ),
        "networkPolicy": group(
            "A NetworkPolicy for serving pods.",
            enabled=switch("Whether to create it."),
            **{"from": list_of_anything("Who may send requests; by default everyone.")},
            metricsFrom=list_of_anything("Who may scrape metrics; by default everyone."),
            egressTo=list_of_anything("Egress rules in addition to DNS and the chart's own Valkey."),
        ),
    }


def _ingress() -> dict[str, Schema]:
    return {
        "ingress": group(
            "Ingresses for ingress-nginx; for another controller, change the annotations.",
            enabled=switch("Whether to create them."),
            className=string("The class; by default the cluster's."),
            host=string("The host name of REST.", pattern=_HOST),
            grpcHost=string("The host name of gRPC, which needs tlsSecret.", pattern=_HOST),
            tlsSecret=string("A Secret with the certificate of the host names."),
            affinity=switch(
                "Whether calls under /v1/sessions and of nextchar.v1.Sessions go to a pod by their "
                "X-Session-Id: sessions.store valkey does not need it."
            ),
            annotations=words("Additional annotations; they override those of the chart."),
        )
    }
