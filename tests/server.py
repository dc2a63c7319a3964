"""A real `triage serve` in processes of its own, and load for it."""

import asyncio
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(holds, seconds=60, what="it"):
    """Wait until something holds, and return it; give up loudly."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"{what} did not come about in {seconds} s"
        time.sleep(0.02)
    return found


class Running:
    """A command that listens on a port of this machine, with all processes that it starts.

    `env` is added to the environment; `words` may hold `{port}`.
    """

    def __init__(self, folder, *words, **env):
        self.port = free_port()
        self.words = [word.format(port=self.port) for word in words]
        self.env = {**os.environ, "PYTHONPATH": str(ROOT), **env}
        self.folder = folder
        self.log = folder / "serve.log"

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.words], stdout=log, stderr=log, cwd=self.folder,
                env=self.env, start_new_session=True,
            )  # fmt: skip
        until(self.ready, what="an answer of the service")

    def ready(self):
        assert self.process.poll() is None, self.output()
        try:
            return bool(self.ask("/readyz"))
        except (urllib.error.URLError, ConnectionError):
            return False

    def ask(self, path, body=None, **headers):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json", **headers},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read().decode()
            return json.loads(text) if "json" in answer.headers["content-type"] else text

    def kill(self):
        """End all its processes at once, as a loss of power to them would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Ask it to stop, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def output(self):
        return self.log.read_text("utf-8")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.kill()


def serve(folder, *options, **env):
    """`triage serve` with its home in a folder."""
    code = "from triage.cli import main; main()"
    return Running(folder, "-c", code, "serve", "--port", "{port}", *options,
                   TRIAGE_HOME=str(folder), **env)  # fmt: skip


def post(path, body, headers=()):
    """The bytes of a POST request."""
    content = json.dumps(body, ensure_ascii=False).encode()
    lines = (f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json",
             f"Content-Length: {len(content)}", *headers)  # fmt: skip
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class Connection(asyncio.Protocol):
    """One keep-alive connection, for one request at a time; reads no more than it must."""

    answer = None
    received = b""

    def connection_made(self, transport):
        self.transport = transport

    def ask(self, request):
        """Send a request; the future gives status and body."""
        self.answer = asyncio.get_running_loop().create_future()
        if self.transport.is_closing():
            self.connection_lost(None)
        self.transport.write(request)
        return self.answer

    def data_received(self, data):
        self.received += data
        head = self.received.find(b"\r\n\r\n") + 4
        if head < 4:
            return
        length = int(_LENGTH.search(self.received, 0, head)[1])
        if len(self.received) >= head + length:
            self.answer.set_result((int(self.received[9:12]), self.received[head:]))
            self.received = b""

    def connection_lost(self, error):
        if self.answer and not self.answer.done():
            self.answer.set_exception(ConnectionResetError("closed before it answered"))


async def connect(port):
    loop = asyncio.get_running_loop()
    return (await loop.create_connection(Connection, "127.0.0.1", port))[1]


@dataclass
class Sent:
    """A complaint that was sent, and what came back; status 0 if nothing did."""

    complaint: dict
    connection: int
    status: int = 0
    answer: dict = field(default_factory=dict)

    @property
    def id(self):
        return self.complaint["id"]


class Load:
    """Sends complaints over several connections, one after another, from a thread of its own.

    `latest` is the version that answered last on each connection.
    A connection that is lost ends; what it had sent counts as not answered.
    """

    def __init__(self, port, texts, connections=8):
        self.port = port
        self.texts = texts
        self.sent: list[Sent] = []
        self.name = secrets.token_hex(4)
        self.connections = range(connections)
        self.latest = {}
        self._over = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def answered(self, holds=lambda one: True):
        """How many were answered such that something holds."""
        return sum(bool(one.status and holds(one)) for one in self.sent)

    def of(self, connection):
        """What one connection sent, in order."""
        return [one for one in self.sent if one.connection == connection]

    def stop(self):
        self._over = True
        self._thread.join()

    async def _run(self):
        await asyncio.gather(*map(self._send, self.connections))

    async def _send(self, number):
        connection = await connect(self.port)
        while not self._over:
            place = len(self.sent)
            text = self.texts[place % len(self.texts)]
            one = Sent({"id": f"{self.name}-{place}", "text": text}, number)
            self.sent.append(one)
            try:
                status, body = await connection.ask(post("/v1/assess", one.complaint))
            except ConnectionResetError:
                return
            one.answer, one.status = json.loads(body), status
            self.latest[number] = one.answer.get("model_version")
        connection.transport.close()


@contextmanager
def loaded(port, texts, connections=8):
    """Load a service for as long as the block lasts."""
    load = Load(port, texts, connections)
    load._thread.start()
    try:
        yield load
    finally:
        load.stop()
