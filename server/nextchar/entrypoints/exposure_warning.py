"""Warns at start about a server that other machines can reach without API keys or TLS."""

import ipaddress
import logging

from nextchar.entrypoints.settings import Settings

logger = logging.getLogger(__name__)


def warn_if_exposed(settings: Settings) -> None:
    """Logs a warning if the address is not loopback and API keys or TLS are off."""
    if is_loopback(settings.host):
        return
    if settings.api_keys_file is None:
        logger.warning(
            "ANYBODY who can reach %s can use this server: it needs no API key. "
            "Set --api-keys-file, or listen on 127.0.0.1 (docs/security.md)",
            settings.host,
        )
    elif settings.tls_certificate_file is None:
        logger.warning(
            "API keys travel unencrypted to %s: set --tls-certificate-file, or use a proxy with TLS",
            settings.host,
        )


def is_loopback(host: str) -> bool:
    """Returns whether an address is loopback; of names only localhost is taken for it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
