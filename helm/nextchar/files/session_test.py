"""`helm test`: checks that a session continues after the pod that served it is gone.

Runs in the server's own image and needs only its Python. The environment has: URL of the Service; SELECTOR
of the serving pods; PORT of a pod; CONTINUE: "service" (any pod continues a session), "pod" (the StatefulSet
pod of the same name does), or empty (sessions end with their pod, so none is deleted); API_KEY if one is
needed; CLIENT_CERTIFICATE, a folder, if one is needed; TIMEOUT_SECONDS for the new pod.
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
    """Sends a request and returns the JSON of the answer. Raises OSError, also as an HTTPError."""
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
    """Lists and deletes pods of this pod's namespace through the Kubernetes API."""

    def __init__(self) -> None:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        namespace = (ACCOUNT / "namespace").read_text().strip()
        host = f"[{host}]" if ":" in host else host
        self._pods = f"https://{host}:{port}/api/v1/namespaces/{namespace}/pods"
        self._token = (ACCOUNT / "token").read_text().strip()
        self._tls = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))

    def serving(self) -> list[dict[str, Any]]:
        """Returns the pods that are ready and not terminating."""
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
    """Calls the server at an address."""

    def __init__(self, url: str) -> None:
        # No certificate has a pod's own address, and the requests carry only the words of a test.
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
    """Returns the first answer of `attempt` that is not None; retries until the timeout."""
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
    """Returns a ready pod once `old` is gone; one of the same name if CONTINUE is "pod"."""
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
    # The score that the session gives the text now is the score that it must give afterwards.
    expected = first.ask("POST", f"{path}/score", {"input": [TEXT]})["data"][0]["logprob"]
    print(f"session {name} of {model}: log p of the next text is {expected:.4f}")
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
        sys.exit(f"the session did not continue where it was: expected log p {expected}")
    print("the session continued where it was")


if __name__ == "__main__":
    main()
