"""Says loudly, at start, what others can do to a server that they can reach."""

import ipaddress
import logging

from nextchar.entrypoints.settings import Settings

logger = logging.getLogger(__name__)


def warn_if_exposed(settings: Settings) -> None:
    """Warn of an address others can reach, where no key or no encryption stands before it."""
    if is_loopback(settings.host):
        return
    if settings.api_keys_file is None:
        logger.warning(
            "ANYBODY who can reach %s can use this server: it listens beyond this machine without API keys "
            "(--api-keys-file; docs/security.md)",
            settings.host,
        )
    elif settings.tls_certificate_file is None:
        logger.warning(
            "API keys travel unencrypted to %s: give it a certificate (--tls-certificate-file), or a proxy "
            "one",
            settings.host,
        )


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own; a name other than localhost is taken not to be."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
