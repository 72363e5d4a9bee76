"""Makes an access log with a real nginx: a website's pages, assets, searches, mistakes and scanners."""

import random
import shutil
import socket
import subprocess
from pathlib import Path

import httpx

LINES = 2000
_RETRIES = 5  # of the first connection, over some 8 seconds: nginx starts meanwhile
_CONFIGURATION = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  set_real_ip_from 127.0.0.1;
  real_ip_header X-Forwarded-For;
  access_log {folder}/access.log combined;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    root {folder}/site;
    location /api/ {{ return 200 "ok"; }}
    location /old/ {{ return 301 /posts/; }}
    location /admin {{ return 403; }}
  }}
}}
"""
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
    "Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "curl/8.5.0",
    "Prometheus/2.45.0",
)
_WORDS = ("river", "stone", "lantern", "harvest", "winter", "meadow", "copper", "thunder", "garden", "maple")
_WRONG = ("/wp-login.php", "/.env", "/old/index.html", "/admin", "/favicon.ico", "/phpmyadmin/index.php")


def make(folder: Path, lines: int = LINES) -> Path | None:
    """Makes a log of so many lines in a folder; returns None where nginx is not installed."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if nginx is None:
        return None
    folder = folder.absolute()
    _make_site(folder / "site")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port))
    command = [nginx, "-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")]
    with subprocess.Popen(command) as process:
        try:
            _visit(f"http://127.0.0.1:{port}", lines)
        finally:
            process.terminate()
    return folder / "access.log"


def _make_site(site: Path) -> None:
    for name in ("posts", "assets"):
        (site / name).mkdir(parents=True, exist_ok=True)
    (site / "index.html").write_text("home")
    (site / "posts" / "index.html").write_text("posts")
    for k, word in enumerate(_WORDS):
        (site / "posts" / f"{word}.html").write_text(word * (50 + 37 * k))
        (site / "assets" / f"{word}.png").write_bytes(bytes(1000 + 991 * k))


def _visit(address: str, lines: int) -> None:
    """Makes requests of a few dozen visitors, each of whom looks at several things."""
    chance, done = random.Random(28), 0
    visitors = [f"198.51.{chance.randrange(256)}.{chance.randrange(256)}" for _ in range(40)]
    with httpx.Client(base_url=address, transport=httpx.HTTPTransport(retries=_RETRIES)) as client:
        while done < lines:
            visitor, agent = chance.choice(visitors), chance.choice(_AGENTS)
            referrer = "-"
            for path in _paths(chance)[: lines - done]:
                headers = {"User-Agent": agent, "X-Forwarded-For": visitor, "Referer": referrer}
                client.request("HEAD" if chance.random() < 0.03 else "GET", path, headers=headers)
                referrer, done = f"https://example.com{path}", done + 1


def _paths(chance: random.Random) -> list[str]:
    """Returns the paths of one visit."""
    word = chance.choice(_WORDS)
    visits = (
        [f"/posts/{word}.html", f"/assets/{word}.png"],
        [
            "/",
            "/posts/",
            f"/posts/{word}.html",
            f"/assets/{word}.png",
            f"/assets/{chance.choice(_WORDS)}.png",
        ],
        [f"/api/search?q={word}+{chance.choice(_WORDS)}&page={chance.randrange(1, 9)}"],
        [f"/api/items/{chance.randrange(100_000)}"] * chance.randrange(1, 4),
        [chance.choice(_WRONG)],
        [f"/posts/{word}-{chance.randrange(1000)}.html"],
    )
    return chance.choice(visits)
