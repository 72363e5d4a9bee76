"""What the chart's values are, noun by noun; `make chart` makes the schema and the README's table of it."""

from helm.schema import (
    Schema,
    anything,
    choice,
    file_name,
    group,
    integer,
    list_of_anything,
    port,
    probe,
    quantity,
    resources,
    settings,
    string,
    strings,
    switch,
    typed,
    words,
)

_PULL = ("When the image is pulled.", "Always", "IfNotPresent", "Never")


def values() -> Schema:
    """The whole schema."""
    whole = group(
        "Values of nextchar's chart.", **_naming(), **_pods(), **_server(), **_around(), **_extras()
    )
    properties = whole["properties"] | {"global": anything("Helm's own; not read.")}
    return {"$schema": "http://json-schema.org/draft-07/schema#", **whole, "properties": properties}


def _naming() -> dict[str, Schema]:
    return {
        "nameOverride": string("In place of the chart's name.", maxLength=40),
        "fullnameOverride": string("In place of the release's and the chart's name.", maxLength=50),
        "image": group(
            "The image, which you build and push.",
            repository=string("Where it is, without a tag.", minLength=1),
            tag=string("Its tag; the chart's appVersion by default.", pattern="^[-._a-zA-Z0-9]*$"),
            digest=string("Its digest, in place of a tag.", pattern="^(sha256:[0-9a-f]{64})?$"),
            pullPolicy=choice(*_PULL),
            pullSecrets=strings("Names of Secrets for its registry."),
        ),
    }


def _pods() -> dict[str, Schema]:
    return {
        "kind": choice("What runs the pods.", "Deployment", "StatefulSet"),
        "replicaCount": integer("Pods, where autoscaling is off.", 0),
        "runAsUser": typed(["integer", "null"], "The user; null leaves it to OpenShift.", minimum=1),
        "fsGroup": typed(["integer", "null"], "The group of volumes; null as above.", minimum=1),
        "resources": resources("Of a serving pod. The limit of cores decides how many engines run."),
        "podAnnotations": words("More annotations of serving pods."),
        "podLabels": words("More labels of serving pods."),
        "nodeSelector": words("Nodes they may run on."),
        "tolerations": list_of_anything("Taints they tolerate."),
        "affinity": anything("Affinity of Kubernetes."),
        "priorityClassName": string("Their priority class."),
        "topologySpread": group(
            "Pods spread over zones and nodes.",
            enabled=switch("Whether they do."),
            whenUnsatisfiable=choice("If they cannot.", "ScheduleAnyway", "DoNotSchedule"),
        ),
        "podDisruptionBudget": group(
            "What a drained node may take at a time.",
            enabled=switch("Whether there is one."),
            maxUnavailable=integer("Pods at a time.", 1),
        ),
        "serviceAccount": group(
            "Whose account pods run under; none of them gets its token.",
            create=switch("Whether the chart makes it."),
            name=string("Its name; by default the release's, or `default` where none is made."),
            annotations=words("Its annotations."),
        ),
    }


def _server() -> dict[str, Schema]:
    return {
        "config": settings(),
        "drain": group(
            "The end of a pod. terminationGracePeriodSeconds is the sum of these two and "
            "config.shutdown_timeout_seconds.",
            preStopSeconds=integer("Seconds it goes on serving while traffic is led elsewhere.", 1),
            marginSeconds=integer("Seconds more before it is killed.", 1),
        ),
        "probes": group(
            "Whether a pod is up.",
            type=choice("How they ask.", "http", "grpc"),
            startup=probe("Until the models are loaded."),
            readiness=probe("Whether it takes requests."),
            liveness=probe("Whether it answers at all."),
        ),
        "models": group(
            "Where models come from: a folder <name>/<version>/.",
            source=choice("The image, a claim, or a container that fetches them.", "image", "claim", "init"),
            existingClaim=string("The PersistentVolumeClaim, for source claim."),
            init=group(
                "The container that fills /models, for source init.",
                image=string("Its image, with a tag."),
                command=strings("Its command."),
                args=strings("Its arguments."),
                env=list_of_anything("Its environment."),
                existingSecret=string("A Secret whose keys are environment variables of it."),
                sizeLimit=quantity("Bytes of the folder at most."),
            ),
        ),
        "sessions": _sessions(),
        "auth": group(
            "API keys.",
            enabled=switch("Whether requests need one."),
            keys=string("The keys file's content."),
            existingSecret=string("A Secret that has the file."),
            key=file_name("Under which name."),
        ),
        "tls": group(
            "TLS at both doors.",
            enabled=switch("Whether they speak it."),
            existingSecret=string("A Secret with tls.crt, tls.key and, for clients' certificates, ca.crt."),
            cert=string("The certificate, in PEM."),
            key=string("Its key, in PEM."),
            clientCa=string("Who signs clients' certificates, in PEM."),
            clientCerts=switch("Whether clients need a certificate."),
        ),
    }


def _sessions() -> Schema:
    return group(
        "Where sessions are kept.",
        store=choice("In the pod's memory, in a file on a disk, in Valkey.", "memory", "disk", "valkey"),
        stateKey=group(
            "What seals states. Made once if it is neither given nor in a Secret; under GitOps, give it.",
            value=string("The key, 32 characters at least.", pattern="^(.{32,})?$"),
            existingSecret=string("A Secret that has it."),
            key=file_name("Under which name."),
        ),
        disk=group(
            "For store disk.",
            existingClaim=string("A claim that is there."),
            size=quantity("Bytes of the claim made."),
            storageClassName=string("Its storage class; the cluster's by default."),
            accessModes=strings("Its access modes."),
        ),
        valkey=group(
            "For store valkey, one that is there.",
            url=string(
                "valkey://user:password@host:6379/0", pattern="^((valkey|redis)s?(\\+sentinel)?://.+)?$"
            ),
            existingSecret=string("A Secret that has the address."),
            key=file_name("Under which name."),
        ),
    )


def _around() -> dict[str, Schema]:
    return {
        "service": group(
            "How others reach the pods; also, by a pod's own address, <name>-headless.",
            type=choice("The Service's type.", "ClusterIP", "NodePort", "LoadBalancer"),
            annotations=words("Annotations of both Services."),
            httpPort=port("REST."),
            grpcPort=port("gRPC."),
            metricsPort=port("Metrics."),
        ),
        "autoscaling": group(
            "A HorizontalPodAutoscaler.",
            enabled=switch("Whether there is one."),
            minReplicas=integer("Pods at least.", 1),
            maxReplicas=integer("Pods at most.", 1),
            targetCPUUtilizationPercentage=typed(
                ["integer", "null"], "Of the cores requested; null for none.", minimum=1
            ),
            targetQueueSeconds=quantity(
                "Mean wait for a lane (`50m` is 50 ms), a metric of the pods.", empty=True
            ),
            targetLanes=quantity("Mean lanes in a step, a metric of the pods.", empty=True),
            scaleDownSeconds=integer("How long less must have been enough.", 0, 3600),
        ),
        "serviceMonitor": group(
            "For Prometheus Operator.",
            enabled=switch("Whether there is one."),
            interval=string("From scrape to scrape.", pattern="^[0-9]+(ms|s|m)$"),
            scrapeTimeout=string("At most interval.", pattern="^[0-9]+(ms|s|m)$"),
            labels=words("By which your Prometheus chooses it."),
        ),
        "prometheusRule": group(
            "Alerts, for Prometheus Operator.",
            enabled=switch("Whether there are any."),
            labels=words("By which your Prometheus chooses them."),
        ),
        "dashboard": group(
            "A ConfigMap with a dashboard, which Grafana's sidecar finds.",
            enabled=switch("Whether there is one."),
            labels=words("By which the sidecar chooses it."),
        ),
        "networkPolicy": group(
            "Who may speak with whom.",
            enabled=switch("Whether there is one."),
            **{"from": list_of_anything("Who may ask; everybody by default.")},
            metricsFrom=list_of_anything("Who may scrape; everybody by default."),
            egressTo=list_of_anything("Rules of where pods may go besides names and the chart's own Valkey."),
        ),
    }


def _extras() -> dict[str, Schema]:
    return {
        "valkey": group(
            "A Valkey of this release's own, for trial: one pod.",
            enabled=switch("Whether there is one; sessions.store must be valkey."),
            image=group(
                "Its image.",
                repository=string("Where it is.", minLength=1),
                tag=string("Its tag.", pattern="^[-._a-zA-Z0-9]+$"),
                pullPolicy=choice(*_PULL),
            ),
            password=string("Its password; made once by default.", pattern="^([a-zA-Z0-9]{16,})?$"),
            persistence=group(
                "Its disk.",
                enabled=switch("Whether it has one."),
                size=quantity("Its bytes."),
                storageClassName=string("Its storage class; the cluster's by default."),
            ),
            resources=resources("Of its pod."),
        ),
        "training": group(
            "A Job that trains a model with torchrun and exports it.",
            enabled=switch("Whether there is one."),
            image=string("An image with the training package."),
            name=string("The model's name.", pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
            corpus=string("What to train on: a named corpus, or a path under /corpora.", minLength=1),
            processes=integer("Processes that share each batch.", 1),
            args=strings("More of `nextchar train`."),
            models=group("Where the model goes, at /models.", existingClaim=string("The claim.")),
            corpora=group("Where texts are, at /corpora.", existingClaim=string("The claim.")),
            runs=group(
                "Where checkpoints go.",
                existingClaim=string("The claim; without one a pod that is lost begins anew."),
                sizeLimit=quantity("Bytes at most, without a claim."),
            ),
            backoffLimit=integer("Pods that may fail.", 0),
            resources=resources("Of the pod."),
        ),
        "kserve": group("A ServingRuntime for KServe.", enabled=switch("Whether there is one.")),
        "test": group(
            "What `helm test` runs.",
            apiKey=group(
                "Its key, where auth is on.",
                existingSecret=string("A Secret that has it."),
                key=file_name("Under which name."),
            ),
            tlsSecret=string("A Secret with its certificate, tls.crt and tls.key, where clients need one."),
            resources=resources("Of its pod."),
        ),
    }
