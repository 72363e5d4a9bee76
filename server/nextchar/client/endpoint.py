"""Where a server is, and what a client shows it."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from nextchar.errors import InvalidRequest

_SCHEMES = ("http", "https", "grpc", "grpcs")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address as `http://`, `https://`, `grpc://` or `grpcs://`, with a key and certificates.

    `ca_file` holds who may have signed the server's certificate, in place of the system's; `certificate` is
    the client's own, as the files of its chain and its key.
    """

    url: str
    api_key: str | None = None
    ca_file: Path | None = None
    certificate: tuple[Path, Path] | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise InvalidRequest(
                f"{self.url!r} is no address of a server: http://host:port, https://, grpc:// or grpcs://",
                param="url",
            )

    def __repr__(self) -> str:  # never the key
        return f"Place({self.url!r})"

    @property
    def is_grpc(self) -> bool:
        return self.url.startswith("grpc")

    @property
    def is_secure(self) -> bool:
        return self.url.startswith(("https", "grpcs"))

    @property
    def target(self) -> str:
        """The host and port of gRPC."""
        return urlsplit(self.url).netloc

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.api_key is None else {"authorization": f"Bearer {self.api_key}"}

    def ssl_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=None if self.ca_file is None else str(self.ca_file))
        if self.certificate is not None:
            context.load_cert_chain(*map(str, self.certificate))
        return context
