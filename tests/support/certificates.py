"""Makes certificate authorities, and certificates for servers on loopback and for clients."""

from pathlib import Path

import trustme


class Authority:
    """Signs certificates, and writes them and its own into a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._authority = folder, trustme.CA()
        self.certificate = folder / "authority.crt"
        self._authority.cert_pem.write_to_path(self.certificate)

    def sign(self, name: str) -> tuple[Path, Path]:
        """Writes a certificate for 127.0.0.1 and its key, in place of those of the same name."""
        certificate, key = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        made = self._authority.issue_cert("127.0.0.1", "localhost", common_name=name)
        made.cert_chain_pems[0].write_to_path(certificate)
        made.private_key_pem.write_to_path(key)
        return certificate, key
