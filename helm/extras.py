"""Defines the values of what the chart makes beside the server: Valkey, training, KServe, the test pod."""

from helm.schema import (
    MAY_BE_NULL,
    Schema,
    environment,
    file_name,
    group,
    integer,
    pull_policy,
    quantity,
    resources,
    string,
    strings,
    switch,
)


def extras() -> dict[str, Schema]:
    """Returns the values of what the chart makes beside the server."""
    return {
        "valkey": group(
            "A Valkey of this release for a trial, in one pod.",
            optional=MAY_BE_NULL,
            enabled=switch("Whether to create it; sessions.store must be valkey."),
            image=group(
                "The image of Valkey.",
                repository=string("The image without its tag.", minLength=1),
                tag=string("The tag.", pattern="^[-._a-zA-Z0-9]+$"),
                pullPolicy=pull_policy(),
            ),
            password=string(
                "Its password; by default the chart generates one.", pattern="^([a-zA-Z0-9]{16,})?$"
            ),
            persistence=group(
                "The disk of Valkey.",
                enabled=switch("Whether it has a disk."),
                size=quantity("Its size in bytes."),
                storageClassName=string("Its storage class; by default the cluster's."),
            ),
            resources=resources("Resources of its pod."),
        ),
        "training": group(
            "A Job that trains a model with torchrun and exports it.",
            optional=MAY_BE_NULL,
            enabled=switch("Whether to create it."),
            image=string("An image with the training package."),
            name=string("The model's name.", pattern="^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$"),
            corpus=string("What to train on: a named corpus, or a path under /corpora.", minLength=1),
            processes=integer("Processes that share each batch.", 1),
            args=strings("Additional arguments of `nextchar train`."),
            env=environment("Additional environment variables."),
            models=group(
                "Where the model is written, mounted at /models.", existingClaim=string("The claim.")
            ),
            corpora=group("Where texts are, mounted at /corpora.", existingClaim=string("The claim.")),
            runs=group(
                "Where checkpoints are written.",
                existingClaim=string("The claim; without one, training starts again when its pod is lost."),
                sizeLimit=quantity("The maximum size in bytes without a claim."),
            ),
            backoffLimit=integer("How many pods may fail.", 0),
            resources=resources("Resources of the pod."),
        ),
        "kserve": group("A ServingRuntime for KServe.", enabled=switch("Whether to create it.")),
        "test": group(
            "The pod that `helm test` runs.",
            optional=MAY_BE_NULL,
            apiKey=group(
                "The API key it uses if auth is enabled.",
                existingSecret=string("A Secret with the key."),
                key=file_name("The entry of the Secret."),
            ),
            tlsSecret=string("A Secret with its tls.crt and tls.key if clients must present a certificate."),
            resources=resources("Resources of its pod."),
        ),
    }
