"""Keeps the arrays in which blocks of steps are mixed, by the size of the block."""

from nextchar.engine.adaptive.mixture import Workspace, workspace_bytes

_MAX_BYTES = 32 << 20  # of all but the last


class Workspaces:
    """Holds workspaces for blocks over an alphabet, those used last, within their bytes."""

    def __init__(self, num_symbols: int) -> None:
        self._num_symbols = num_symbols
        self._kept: dict[tuple[int, int], Workspace] = {}  # by steps and lanes, in the order of their use

    def of(self, num_steps: int, n: int) -> Workspace:
        """Returns the arrays for blocks of some steps of n lanes; those used longest ago make room."""
        kept, size = self._kept, (num_steps, n)
        workspace = kept.pop(size, None)
        if workspace is None:
            wanted = self._bytes(size)
            while kept and wanted + sum(map(self._bytes, kept)) > _MAX_BYTES:
                del kept[next(iter(kept))]
            workspace = Workspace(num_steps, n, self._num_symbols)
        kept[size] = workspace
        return workspace

    def _bytes(self, size: tuple[int, int]) -> int:
        return workspace_bytes(*size, self._num_symbols)
