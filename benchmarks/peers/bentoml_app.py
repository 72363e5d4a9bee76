"""Serves with BentoML and adaptive batching (documentation: batchable, max_batch_size)."""

import bentoml
from torch_model import Completer


@bentoml.service(workers=1, traffic={"timeout": 600})
class Peer:
    def __init__(self) -> None:
        self.completer = Completer()

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=60_000)
    def complete(self, requests: list[dict]) -> list[str]:
        return self.completer.complete(requests)
