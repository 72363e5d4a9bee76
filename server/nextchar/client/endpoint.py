"""Holds the address of a server, and the key and certificates that a client presents."""

import ssl
from dataclasses import dataclass
from os import PathLike
from urllib.parse import urlsplit

from nextchar.errors import InvalidRequest

File = str | PathLike[str]
API_KEY = "NEXTCHAR_API_KEY"  # the environment variable from which commands read the key
_SCHEMES = ("http", "https", "grpc", "grpcs")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a server, as `http://`, `https://`, `grpc://` or `grpcs://`, and credentials for it.

    `ca_file` holds the authorities that may have signed the server's certificate, in place of the system's.
    `certificate` is the client's own: the files of its chain and its key. Files are named by paths or texts.

    Raises:
        InvalidRequest: the URL has another scheme, or no host.
    """

    url: str
    api_key: str | None = None
    ca_file: File | None = None
    certificate: tuple[File, File] | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise InvalidRequest(
                f"url must name a host after http://, https://, grpc:// or grpcs:// (url is {self.url!r})",
                param="url",
            )

    def __repr__(self) -> str:
        """Shows the URL; never the key."""
        return f"Endpoint({self.url!r})"

    @property
    def is_grpc(self) -> bool:
        """Whether calls go over gRPC, and not over REST."""
        return self.url.startswith("grpc")

    @property
    def is_secure(self) -> bool:
        """Whether the connection uses TLS."""
        return self.url.startswith(("https", "grpcs"))

    @property
    def target(self) -> str:
        """The host and port, as gRPC names a server."""
        return urlsplit(self.url).netloc

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every call."""
        return {} if self.api_key is None else {"authorization": f"Bearer {self.api_key}"}

    def ssl_context(self) -> ssl.SSLContext:
        """Loads the certificates for HTTPS."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.certificate is not None:
            context.load_cert_chain(*self.certificate)
        return context
