"""Carries a client's calls to a model in this process."""

from collections.abc import Generator
from queue import SimpleQueue
from typing import Any

from nextchar.client.operations import A, C, Operation
from nextchar.entrypoints.library.calls import Calls
from nextchar.entrypoints.library.runtime import Runtime


class LocalTransport:
    """Runs operations in the thread of a runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime, self._calls = runtime, Calls(runtime.service)

    def close(self) -> None:
        """Closes the model."""
        self._runtime.close()

    def execute(self, operation: Operation[A]) -> A:
        """Makes one call and returns its answer."""
        return self._runtime.call(self._calls.answer(operation))

    def execute_stream(self, operation: Operation[C]) -> Generator[C]:
        """Makes one call and yields the parts of its answer; closing the generator ends the call."""
        parts: SimpleQueue[Any] = SimpleQueue()
        pump = self._runtime.start(self._pump(operation, parts))
        pump.add_done_callback(lambda _: parts.put(None))
        try:
            while (part := parts.get()) is not None:
                yield part
            self._runtime.result(pump)  # raises what ended the stream
        finally:
            pump.cancel()

    async def _pump(self, operation: Operation[C], parts: "SimpleQueue[Any]") -> None:
        async for part in self._calls.parts(operation):
            parts.put(part)
