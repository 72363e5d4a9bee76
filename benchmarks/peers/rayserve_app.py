"""Serves with Ray Serve and dynamic request batching (its documentation: serve.batch)."""

import os
import signal

import ray
from ray import serve
from starlette.requests import Request


@serve.deployment(max_ongoing_requests=256, ray_actor_options={"num_cpus": 1})
class Peer:
    def __init__(self) -> None:
        import torch
        from torch_model import Completer

        torch.set_num_threads(2)
        self.completer = Completer()

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.05)
    async def complete(self, requests: list[dict]) -> list[dict]:
        return [{"text": text} for text in self.completer.complete(requests)]

    async def __call__(self, request: Request) -> dict:
        return await self.complete(await request.json())


ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])})
serve.run(Peer.bind(), route_prefix="/complete")
signal.sigwait([signal.SIGTERM, signal.SIGINT])
serve.shutdown()
ray.shutdown()
