"""Measure the service beside an empty FastAPI route with the same body sizes, in turns.

python -m tests.bench_service [--json FILE] [--seconds 3] [--rounds 5]

Complaints of 68 to 72 characters from data/complaints.csv, 16 keep-alive connections, answers
kept in SQLite. The client shares the machine's cores with what it measures.
"""

import argparse
import asyncio
import functools
import itertools
import json
import os
import platform
import random
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import uvloop
from fastapi import FastAPI, Request, Response
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))

from server import ROOT, Running, connect, post, serve  # noqa: E402

from triage.engine import open_registry  # noqa: E402

CONNECTIONS = 16
ID = "0" * 16
ANSWER = os.environ.get("EMPTY_ANSWER", "{}").encode()

empty = FastAPI()


@empty.post("/v1/assess")
async def answer(request: Request) -> Response:
    await request.body()
    return Response(ANSWER, media_type="application/json")


@empty.get("/readyz")
async def ready() -> dict:
    return {"ready": True}


@functools.cache
def halves():
    """What stands before and after the id in the requests of all complaints."""
    texts = pd.read_csv(ROOT / "data" / "complaints.csv")["text"]
    bodies = [{"id": ID, "text": text, "channel": "app"}
              for text in texts[texts.str.len().between(68, 72)]]  # fmt: skip
    return [post("/v1/assess", body).split(ID.encode()) for body in bodies]


def requests():
    """Requests of complaints, each with an id of its own, without end."""
    first = secrets.randbits(60)
    for number, (before, after) in enumerate(itertools.cycle(halves()), first):
        yield b"%b%016x%b" % (before, number, after)


async def answer_bytes(port, sample=200):
    """The mean size of an answer, all of which are stored."""
    connection, sizes = await connect(port), []
    for sent in itertools.islice(requests(), sample):
        status, body = await connection.ask(sent)
        assert status == 200 and json.loads(body)["stored"]
        sizes.append(len(body))
    connection.transport.close()
    return sum(sizes) // sample


async def closed_loop(port, seconds):
    """Answers a second, when each connection sends its next request as soon as it may."""
    end, sent = time.perf_counter() + seconds, requests()

    async def one():
        connection, count = await connect(port), 0
        while time.perf_counter() < end:
            status, _ = await connection.ask(next(sent))
            assert status == 200, status
            count += 1
        connection.transport.close()
        return count

    start = time.perf_counter()
    counts = await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return sum(counts) / (time.perf_counter() - start)


async def open_loop(port, seconds, rate):
    """Milliseconds from when a request is due, at random times, to its answer."""
    due, sent, laps = time.perf_counter(), requests(), []
    end = due + seconds

    async def one():
        nonlocal due
        connection = await connect(port)
        while due < end:
            due += random.expovariate(rate)
            mine = due
            await asyncio.sleep(max(0, mine - time.perf_counter()))
            status, _ = await connection.ask(next(sent))
            assert status == 200, status
            laps.append((time.perf_counter() - mine) * 1e3)
        connection.transport.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return laps


def empty_route(folder, size, workers):
    """The empty route, run as `triage serve` runs."""
    return Running(
        folder, "-m", "uvicorn", "tests.bench_service:empty", "--port", "{port}", "--workers",
        str(workers), "--no-access-log", "--no-server-header", "--log-level", "warning",
        EMPTY_ANSWER=json.dumps("x" * (size - 2)),
    )  # fmt: skip


def measure(workers, rounds, seconds):
    """Figures of both, in alternating rounds."""
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as name:
        ours_home, other = Path(name) / "ours", Path(name) / "empty"
        for folder in (ours_home, other):
            folder.mkdir()
        found = open_registry().folder()
        shutil.copytree(found.path, ours_home / "models" / found.version)
        (ours_home / "models" / "current").write_text(found.version, "utf-8")
        with serve(ours_home, "--workers", str(workers)) as ours:
            size = uvloop.run(answer_bytes(ours.port))
            with empty_route(other, size, workers) as floor:
                return figures(ours.port, floor.port, rounds, seconds) | {"answer_bytes": size}


def figures(ours, floor, rounds, seconds):
    halves()
    for port in (ours, floor):
        uvloop.run(closed_loop(port, seconds))
    rps = np.array(
        [[uvloop.run(closed_loop(port, seconds)) for port in (floor, ours)] for _ in range(rounds)]
    )
    half = float(np.median(rps[:, 1])) / 2
    laps = [uvloop.run(open_loop(ours, seconds, half)) for _ in range(rounds)]
    return {
        "empty_rps": float(np.median(rps[:, 0])),
        "ours_rps": float(np.median(rps[:, 1])),
        "ratio": float(np.median(rps[:, 1] / rps[:, 0])),
        "half_rps": half,
        "p50_ms": float(np.median([np.percentile(lap, 50) for lap in laps])),
        "p99_ms": float(np.median([np.percentile(lap, 99) for lap in laps])),
    }


def table(found):
    shown = Table(title=f"{platform.machine()}, {os.cpu_count()} cores, {CONNECTIONS} connections")
    for heading in ("workers", "empty route, rps", "ours, rps", "ratio", "at half load, rps",
                    "p50, ms", "p99, ms"):  # fmt: skip
        shown.add_column(heading, justify="right")
    for workers, one in found.items():
        shown.add_row(
            workers, f"{one['empty_rps']:.0f}", f"{one['ours_rps']:.0f}", f"{one['ratio']:.1%}",
            f"{one['half_rps']:.0f}", f"{one['p50_ms']:.1f}", f"{one['p99_ms']:.1f}",
        )  # fmt: skip
    return shown


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    found = {str(n): measure(n, options.rounds, options.seconds) for n in (1, 2)}
    Console().print(table(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
