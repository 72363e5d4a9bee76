"""Opens the graph of a version and checks that it scores its golden strings here."""

import logging
from pathlib import Path

from nextchar.errors import GoldenMismatch
from nextchar.model.golden import check_golden
from nextchar.model.graph import ModelGraph, open_graph
from nextchar.model.kernels.opening import KernelChoice
from nextchar.repository.folder import ModelPath

logger = logging.getLogger(__name__)


def open_checked(path: ModelPath, kernels: KernelChoice) -> ModelGraph:
    """Opens the graph of a model, or its fallback if the golden strings do not match here.

    `kernels` is what `open_graph` takes.

    Raises:
        ModelFileError: the file is not valid.
    """
    try:
        return _open(path, path.path, kernels)
    except GoldenMismatch as error:
        if path.fallback is None:
            raise
        logger.warning("%s; serving %s instead", error, path.fallback.name)
        return _open(path, path.fallback, kernels)


def _open(model: ModelPath, file: Path, kernels: KernelChoice) -> ModelGraph:
    shown = model.shown(file)
    graph = open_graph(file, shown=shown, kernels=kernels)
    if graph.card.graph == "step":
        check_golden(graph, shown=shown)
    _ = graph.calibration  # it is made here, once, and not on the event loop with the first score
    return graph
