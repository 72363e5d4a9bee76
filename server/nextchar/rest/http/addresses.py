"""Opens listening sockets, and writes addresses as URLs and gRPC have them."""

import errno
import ipaddress
import socket

from nextchar.errors import CannotListen

_BACKLOG = 2048
_ANY_IPV4 = "0.0.0.0"  # it is listened on only where somebody set all addresses


def authority(host: str, port: int) -> str:
    """Returns a host and a port as one text; an IPv6 address is in brackets, or its end looks like a port."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bare(host: str) -> str:
    """Returns a host without the brackets that an IPv6 address may have."""
    return host.strip("[]")


def listen(host: str, port: int) -> socket.socket:
    """Opens a listening socket. On `::`, which is all addresses, it is of both IPv6 and IPv4.

    Raises:
        CannotListen: the address is in use, or does not belong to this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return _listening(family, address)
    except (OSError, UnicodeError) as error:  # the latter for a name that no system asks for
        reason = getattr(error, "strerror", None) or error
        raise CannotListen(f"cannot listen on {authority(host, port)}: {reason}") from error


def reachable(host: str) -> str:
    """Returns the address for connecting from this machine: loopback for a wildcard address."""
    return "127.0.0.1" if _is_any(host) else host


def _listening(family: int, address: tuple[object, ...]) -> socket.socket:
    both = family == socket.AF_INET6 and _is_any(str(address[0]))
    try:
        return socket.create_server(
            address,  # of IPv6 with its zone
            family=family,
            backlog=_BACKLOG,
            dualstack_ipv6=both and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        if not both or error.errno != errno.EAFNOSUPPORT:
            raise
        # The system has no IPv6, so that all addresses are those of IPv4; gRPC does the same.
        return socket.create_server((_ANY_IPV4, int(str(address[1]))), backlog=_BACKLOG)


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
