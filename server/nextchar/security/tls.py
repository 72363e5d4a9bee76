"""Loads the certificates of both ports, and reloads them when they change, for new connections."""

import asyncio
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from nextchar.errors import SettingsInvalid
from nextchar.security.file_watch import FileWatch
from nextchar.security.operator_file import read_file

_CHECK_SECONDS = 1.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Names the files, in PEM: a certificate chain, its key, and the CA that must have signed clients'."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def by_setting(self) -> dict[str, Path]:
        """The files that are given, by the settings that name them."""
        given = {
            "tls_certificate_file": self.certificate,
            "tls_key_file": self.key,
            "tls_client_ca_file": self.client_ca,
        }
        return {setting: path for setting, path in given.items() if path is not None}

    @property
    def paths(self) -> list[Path]:
        return list(self.by_setting.values())


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

    async def follow(self) -> None:
        """Checks the files for changes for as long as this runs, in a thread: their drive may be away."""
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            changed = await asyncio.to_thread(self._changed_context)
            if changed is not None:
                self._current = changed
                logger.info("the certificate has changed: %s", self._files.certificate)

    def _changed_context(self) -> ssl.SSLContext | None:
        """Returns the context of the files if they have changed and are valid."""
        if not self._watch.changed():
            return None
        try:
            return make_context(self._files)
        except SettingsInvalid as error:
            logger.error("the certificate stays unchanged: %s", error.message)
            return None

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
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
    for setting, path in files.by_setting.items():
        read_file(path, setting)  # OpenSSL would wait for the writer of a pipe
    try:
        context.load_cert_chain(files.certificate, files.key, _refuse_password)
        if files.client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(files.client_ca)
    except (OSError, ssl.SSLError) as error:
        shown = ", ".join(str(path) for path in files.paths)
        raise SettingsInvalid(f"tls_certificate_file: cannot use {shown}: {error}") from error
    return context


def _refuse_password() -> str:
    """Stands for the password of an encrypted key, for which OpenSSL would ask the terminal and wait."""
    raise SettingsInvalid("tls_key_file: the key is encrypted; it must be one without a password")


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
