"""Opens a step graph with compiled cells where they are installed and proved to compute the same bits."""

import logging
from typing import Literal

from nextchar.model.card import Card
from nextchar.model.kernels.fusing import OPERATORS, fuse_cells
from nextchar.model.kernels.library import KernelLibrary, KernelsUnusable, find_library
from nextchar.model.kernels.proof import first_difference
from nextchar.model.runtime import open_session, ort

KernelChoice = Literal["auto", "off"]

logger = logging.getLogger(__name__)


def open_with_kernels(
    content: bytes, card: Card, plain: ort.InferenceSession, *, shown: str
) -> tuple[ort.InferenceSession, str] | None:
    """Returns a session with compiled cells and the name of their implementation; None where there is none.

    `plain` is the opened graph as the file has it. Where the package is installed and cannot be used, one
    line of the log says why.
    """
    if card.graph != "step" or card.precision != "int8" or card.cell not in OPERATORS:
        return None
    try:
        library = find_library()
        if library is None:
            return None
        session = _open(content, card, plain, library)
    except KernelsUnusable as error:
        logger.warning("%s: runs without nextchar-kernels: %s", shown, error)
        return None
    logger.info("%s: runs with nextchar-kernels (%s)", shown, library.path_name)
    return session, library.path_name


def _open(
    content: bytes, card: Card, plain: ort.InferenceSession, library: KernelLibrary
) -> ort.InferenceSession:
    fused = fuse_cells(content, card)
    try:
        session = open_session(fused, library=library.path)
        difference = first_difference(plain, session, card.make_vocabulary())
    except Exception as error:  # onnxruntime raises many unrelated types
        raise KernelsUnusable(f"onnxruntime refuses them: {error!r}"[:400]) from error
    if difference is not None:
        raise KernelsUnusable(f"they compute other numbers here: {difference} differ from onnxruntime's own")
    return session
