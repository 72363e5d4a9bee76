"""Loads the certificates of both ports, and reloads them when they change, for new connections."""

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from nextchar.errors import SettingsInvalid
from nextchar.security.file_watch import FileWatch

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Names the files, in PEM: a certificate chain, its key, and the CA that must have signed clients'."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def paths(self) -> list[Path]:
        return [path for path in (self.certificate, self.key, self.client_ca) if path is not None]


class HttpTls:
    """Holds the TLS context of REST. Files that have become invalid leave the last valid context in use."""

    def __init__(self, files: TlsFiles) -> None:
        """Loads the files.

        Raises:
            SettingsInvalid: they are not a certificate and its key.
        """
        self._files, self._watch = files, FileWatch(*files.paths)
        self.context = self._current = make_context(files)
        # Called in every handshake, whether or not the client names a server; it may change the context.
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        if self._watch.changed():
            try:
                self._current = make_context(self._files)
                logger.info("the certificate has changed: %s", self._files.certificate)
            except SettingsInvalid as error:
                logger.error("the certificate stays unchanged: %s", error.message)
        if connection.context is not self._current:
            connection.context = self._current


def make_context(files: TlsFiles) -> ssl.SSLContext:
    """Makes the TLS context of a server from files.

    Raises:
        SettingsInvalid: they are not a certificate and its key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(files.certificate, files.key)
        if files.client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(files.client_ca)
    except (OSError, ssl.SSLError) as error:
        shown = ", ".join(str(path) for path in files.paths)
        raise SettingsInvalid(f"tls_certificate_file: cannot use {shown}: {error}") from error
    return context


class GrpcTls:
    """Holds the credentials of gRPC, which requests newer ones at every handshake."""

    def __init__(self, files: TlsFiles) -> None:
        """Loads the files.

        Raises:
            SettingsInvalid: they are not a certificate and its key.
        """
        make_context(files)  # gRPC itself would only log an error, at the first handshake
        self._files, self._watch = files, FileWatch(*files.paths)
        self.credentials = grpc.dynamic_ssl_server_credentials(
            self._configuration(), self._newer, files.client_ca is not None
        )

    def _newer(self) -> grpc.ServerCertificateConfiguration | None:
        """Returns changed credentials, or None if the current ones are to be used."""
        if not self._watch.changed():
            return None
        try:
            make_context(self._files)
            return self._configuration()
        except (SettingsInvalid, OSError) as error:
            logger.error("the certificate of gRPC stays unchanged: %s", error)
            return None

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        pair = self._files.key.read_bytes(), self._files.certificate.read_bytes()
        roots = self._files.client_ca.read_bytes() if self._files.client_ca else None
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=roots)
