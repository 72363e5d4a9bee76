"""How the server logs: one line an event on standard error."""

import logging

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure_logs(level: str) -> None:
    """Log from `level` (debug, info, warning, error) on; the frameworks only from warnings on."""
    logging.basicConfig(level=level.upper(), format=_FORMAT, force=True)
    for name in ("uvicorn", "asyncio", "grpc"):
        logging.getLogger(name).setLevel(logging.WARNING)
