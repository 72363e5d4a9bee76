"""Serves with MLServer and adaptive batching (its documentation: max_batch_size and max_batch_time)."""

import asyncio
import os

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse
from torch_model import Completer


class Peer(MLModel):
    async def load(self) -> bool:
        self.completer = Completer()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        inputs = {tensor.name: tensor for tensor in payload.inputs}
        prompts = StringCodec.decode_input(inputs["prompt"])
        counts = NumpyCodec.decode_input(inputs["max_tokens"]).ravel().tolist()
        temperatures = NumpyCodec.decode_input(inputs["temperature"]).ravel().tolist()
        requests = [
            {"prompt": p, "max_tokens": n, "temperature": t}
            for p, n, t in zip(prompts, counts, temperatures, strict=True)
        ]
        texts = self.completer.complete(requests)
        return InferenceResponse(model_name=self.name, outputs=[StringCodec.encode_output("text", texts)])


async def main() -> None:
    port = int(os.environ["PORT"])
    settings = Settings(
        host="127.0.0.1", http_port=port, grpc_port=port + 1, metrics_port=port + 2, parallel_workers=0
    )
    server = MLServer(settings)
    model = ModelSettings(name="peer", implementation=Peer, max_batch_size=64, max_batch_time=0.05)
    await server.start([model])


if __name__ == "__main__":
    asyncio.run(main())
