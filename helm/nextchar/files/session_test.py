"""`helm test`: a session goes on where it was after the pod that served it is gone.

Runs in the server's own image and needs its Python alone. From the environment: URL of the Service, SELECTOR
of the serving pods, PORT of a pod; CONTINUE: "service" (any pod continues a session), "pod" (the one of the
same name does, a StatefulSet's), or empty (sessions end with their pod, none is deleted); API_KEY where one
is needed; CLIENT_CERTIFICATE, a folder, likewise; TIMEOUT_SECONDS for the new pod.
"""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Any

ACCOUNT = Path(os.environ.get("ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount"))
TEXT = "to be, or not to be"


def call(
    method: str, url: str, body: Any = None, *, token: str = "", tls: ssl.SSLContext | None = None
) -> Any:
    """The JSON that a request is answered with. Raises OSError; an HTTPError is one."""
    request = urllib.request.Request(url, method=method)
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=10, context=tls) as answer:
        content = answer.read()
    return json.loads(content) if content else None


class Cluster:
    """The Kubernetes API, as this pod's account may use it: list and delete pods of its namespace."""

    def __init__(self) -> None:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        namespace = (ACCOUNT / "namespace").read_text().strip()
        host = f"[{host}]" if ":" in host else host
        self._pods = f"https://{host}:{port}/api/v1/namespaces/{namespace}/pods"
        self._token = (ACCOUNT / "token").read_text().strip()
        self._tls = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))

    def serving(self) -> list[dict[str, Any]]:
        """The pods that are ready and not about to end."""
        selector = urllib.parse.quote(os.environ["SELECTOR"])
        found = call("GET", f"{self._pods}?labelSelector={selector}", token=self._token, tls=self._tls)[
            "items"
        ]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"] and _is_ready(pod)]

    def delete(self, name: str) -> None:
        call("DELETE", f"{self._pods}/{name}", token=self._token, tls=self._tls)


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


class Server:
    """The server behind an address."""

    def __init__(self, url: str) -> None:
        # A pod's own address is in no certificate, and this request carries nothing but a test's words.
        self._tls = ssl._create_unverified_context() if url.startswith("https:") else None
        if self._tls and (folder := os.environ.get("CLIENT_CERTIFICATE")):
            self._tls.load_cert_chain(f"{folder}/tls.crt", f"{folder}/tls.key")
        self._url = url

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        return call(method, self._url + path, body, token=os.environ.get("API_KEY", ""), tls=self._tls)


def at_pod(pod: dict[str, Any]) -> Server:
    ip = pod["status"]["podIP"]
    scheme = os.environ["URL"].partition(":")[0]
    return Server(f"{scheme}://{f'[{ip}]' if ':' in ip else ip}:{os.environ['PORT']}")


def until(what: str, attempt: Any) -> Any:
    """The first answer of `attempt` that is not None; nobody may be there until the time is up."""
    end = time.monotonic() + float(os.environ.get("TIMEOUT_SECONDS", "180"))
    fault: object = "nothing"
    while time.monotonic() < end:
        try:
            found = attempt()
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                sys.exit(f"no {what}: {error} {error.read(500).decode(errors='replace')}")
            found, fault = None, error
        except OSError as error:
            found, fault = None, error
        if found is not None:
            return found
        time.sleep(0.5)
    sys.exit(f"no {what} in time: {fault}")


def replaced(cluster: Cluster, old: dict[str, Any]) -> dict[str, Any] | None:
    """A ready pod once `old` is none any more; of the same name, where names stay."""
    pods = cluster.serving()
    if any(pod["metadata"]["uid"] == old["metadata"]["uid"] for pod in pods):
        return None
    if os.environ["CONTINUE"] == "pod":
        pods = [pod for pod in pods if pod["metadata"]["name"] == old["metadata"]["name"]]
    return pods[0] if pods else None


def main() -> None:
    service, moves = Server(os.environ["URL"]), bool(os.environ["CONTINUE"])
    model = until("model", lambda: service.ask("GET", "/v1/models"))["data"][0]["id"]
    name = f"helm-test-{uuid.uuid4().hex}"
    path = f"/v1/sessions/{name}"
    cluster = Cluster() if moves else None
    old = until("ready pod", lambda: next(iter(cluster.serving()), None)) if cluster else None
    first = at_pod(old) if old else service
    first.ask("POST", "/v1/sessions", {"model": model, "session_id": name, "prime": "O, "})
    # What the session holds the text for now, unmoved, is what it must hold it for afterwards.
    expected = first.ask("POST", f"{path}/score", {"input": [TEXT]})["data"][0]["logprob"]
    print(f"session {name} of {model}: log p of the text to come is {expected:.4f}")
    server = first
    if cluster and old:
        cluster.delete(old["metadata"]["name"])
        new = until("new pod", lambda: replaced(cluster, old))
        print(f"pod {old['metadata']['name']} deleted; ready: {new['metadata']['name']}")
        server = at_pod(new) if os.environ["CONTINUE"] == "pod" else service
    fed = until("continuation", lambda: server.ask("POST", f"{path}/feed", {"text": TEXT, "return": "none"}))
    print(f"fed {len(TEXT)} characters at position {fed['position']}: log p {fed['logprob']:.4f}")
    server.ask("DELETE", path)
    if fed["position"] != len("O, ") + len(TEXT) or abs(fed["logprob"] - expected) > 1e-4:
        sys.exit(f"the session did not go on where it was: {expected} expected")
    print("the session went on where it was")


if __name__ == "__main__":
    main()
