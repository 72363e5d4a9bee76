"""Makes a client of Valkey or Redis from an address.

    valkey://user:password@host:6379/0            one server; valkeys:// with TLS
    valkey+sentinel://user:password@host1:26379,host2:26379/service/0

`redis`, `rediss` in place of `valkey`, `valkeys` mean the same. Options of the client are query parameters:
`ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`, `ssl_cert_reqs`, `socket_timeout`; of the sentinels themselves,
with `sentinel_` before them: `sentinel_username`, `sentinel_password`.
"""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection

SCHEMES = tuple(
    f"{name}{tls}{kind}" for name in ("valkey", "redis") for tls in ("", "s") for kind in ("", "+sentinel")
)
_TIMEOUT_SECONDS = 2.0
_SENTINEL_PORT = 26379
_TRIES = 1  # more, for a connection that was closed while idle


def valkey_client(url: str) -> Any:
    """Returns a client for an address.

    Raises:
        ValueError: the address is invalid.
    """
    scheme, _, rest = url.partition("://")
    family, _, kind = scheme.partition("+")
    if scheme not in SCHEMES:
        raise ValueError(
            f"the address begins with {scheme[:30]!r}, it must begin with one of {', '.join(SCHEMES)}"
        )
    plain = f"{'rediss' if family in ('valkeys', 'rediss') else 'redis'}://{rest}"
    if kind == "sentinel":
        return _by_sentinel(plain)
    return Redis.from_url(plain, retry=_retry(), **_timeouts())


async def close_client(client: Any) -> None:
    """Closes the connections of a client, those to sentinels too."""
    await client.aclose()
    manager = getattr(client.connection_pool, "sentinel_manager", None)
    for sentinel in () if manager is None else manager.sentinels:
        await sentinel.aclose()


def _by_sentinel(url: str) -> Any:
    """Returns a client of the master of a service, which its sentinels name."""
    parts = urlsplit(url)
    service, _, database = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("the address of sentinels must end with the service: /service or /service/0")
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    sentinels: dict[str, str] = {}
    options: dict[str, str] = {}
    for name, value in parse_qsl(parts.query):
        (sentinels if name.startswith("sentinel_") else options)[name.removeprefix("sentinel_")] = value
    own = f"{parts.scheme}://{hosts.split(',')[0]}/{database or 0}?"
    of_master, of_sentinels = _options(own, options), _options(own, options | sentinels)
    of_sentinels.pop("db", None)
    of_sentinels["retry"] = _retry()  # the next sentinel is asked at once; the default waits for seconds
    if user:
        of_master["username"] = unquote(user)
    if password:
        of_master["password"] = unquote(password)
    addresses = [_host_and_port(host) for host in hosts.split(",")]
    sentinel = Sentinel(addresses, sentinel_kwargs=of_sentinels, **of_master)  # type: ignore[no-untyped-call]
    return sentinel.master_for(service, retry=_retry())


def _options(url: str, query: dict[str, str]) -> dict[str, Any]:
    """Returns the client's keyword arguments for one address's options."""
    options: dict[str, Any] = {**_timeouts(), **parse_url(url + urlencode(query))}
    secure = options.pop("connection_class", None) is not None
    for name in ("host", "port"):
        options.pop(name, None)
    return options | ({"ssl": True} if secure else {})


def _host_and_port(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if parts.hostname is None:
        raise ValueError(f"{text!r} is not the host of a sentinel")
    return parts.hostname, parts.port or _SENTINEL_PORT


def _timeouts() -> dict[str, Any]:
    return {"socket_timeout": _TIMEOUT_SECONDS, "socket_connect_timeout": _TIMEOUT_SECONDS}


def _retry() -> Retry:
    return Retry(NoBackoff(), _TRIES, supported_errors=(NoConnection,))
