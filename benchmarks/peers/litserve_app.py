"""Serves with LitServe and dynamic batching (documentation: max_batch_size and batch_timeout)."""

import os

import litserve as ls
from torch_model import Completer


class Api(ls.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002
        self.completer = Completer()

    def decode_request(self, request: dict) -> dict:
        return request

    def batch(self, inputs: list[dict]) -> list[dict]:
        return inputs

    def predict(self, x: list[dict]) -> list[str]:
        return self.completer.complete(x)

    def unbatch(self, output: list[str]) -> list[str]:
        return output

    def encode_response(self, output: str) -> dict:
        return {"text": output}


if __name__ == "__main__":
    api = Api(max_batch_size=64, batch_timeout=0.05)
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), generate_client_file=False)
