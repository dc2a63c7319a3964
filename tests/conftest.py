"""Shared parts: one model, trained once on the corpus in a home of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import create_engine, make_url, text

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from triage.engine import Triage, open_registry  # noqa: E402


class Quiet:
    """A progress display that shows nothing and remembers what it was told."""

    def __init__(self):
        self.stages = []
        self.tickets = None

    def stage(self, name, total=None):
        self.stages.append(name)

    def expect(self, total):
        pass

    def advance(self, steps=1):
        pass

    def head(self, name):
        self.stages.append(name)

    def finish(self):
        pass

    def loaded(self, tickets, source, query=None):
        self.tickets = tickets


def check_present(part, present):
    """Skip a test whose part is absent, or fail it where TRIAGE_REQUIRE names the part."""
    if not present and part in os.environ.get("TRIAGE_REQUIRE", "").split(","):
        pytest.fail(f"{part} is absent, but TRIAGE_REQUIRE names it")
    if not present:
        pytest.skip(f"{part} is not installed")


def pytest_collection_modifyitems(config, items):
    """Leave out what takes minutes, unless it is asked for."""
    if "long" not in config.option.markexpr:
        for item in items:
            if "long" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="takes minutes: run with -m long"))


@pytest.fixture
def need():
    return check_present


@pytest.fixture
def quiet():
    return Quiet()


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A home folder with a model trained on the corpus; every test sees it as TRIAGE_HOME.

    TRIAGE_TEST_MODELS names a folder of models to copy instead of training, while writing tests.
    """
    folder = tmp_path_factory.mktemp("home")
    before = os.environ.get("TRIAGE_HOME")
    os.environ["TRIAGE_HOME"] = str(folder)
    if trained := os.environ.get("TRIAGE_TEST_MODELS"):
        shutil.copytree(trained, folder / "models")
    else:
        (folder / "models").mkdir()
        from train import train
        from triage.cli import TrainingOptions

        train(TrainingOptions(), Quiet())
    yield folder
    if before is None:
        del os.environ["TRIAGE_HOME"]
    else:
        os.environ["TRIAGE_HOME"] = before


@pytest.fixture(scope="session")
def desk(home):
    return Triage.load()


@pytest.fixture(scope="session")
def registry(home):
    return open_registry()


@pytest.fixture(scope="session")
def corpus():
    return pd.read_csv(ROOT / "data" / "complaints.csv")


@pytest.fixture
def empty_home(tmp_path, monkeypatch):
    """A home folder without a model."""
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Postgres:
    """A PostgreSQL server of the tests' own, which a test may stop and start."""

    def __init__(self, folder, programs):
        self.folder = folder
        self.programs = programs
        self.as_user = []
        if os.getuid() == 0:
            shutil.chown(folder, "nobody")
            self.as_user = ["setpriv", "--reuid=nobody", "--clear-groups"]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"postgresql+psycopg://triage@127.0.0.1:{self.port}/postgres"
        self._run("initdb", "-D", "data", "-U", "triage", "-A", "trust", "-E", "UTF8",
                  "--no-locale", "--no-sync")  # fmt: skip
        self.start()

    def start(self):
        options = f"-p {self.port} -k '' -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def stop(self):
        self._run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")

    def freeze(self, signal_number=signal.SIGSTOP):
        """Stop all processes of the server where they are, until `thaw`."""
        main = (self.folder / "data" / "postmaster.pid").read_text().split()[0]
        others = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for process in (main, *others):
            os.kill(int(process), signal_number)

    def thaw(self):
        self.freeze(signal.SIGCONT)

    def _run(self, program, *words):
        done = subprocess.run(
            [*self.as_user, self.programs / program, *words], cwd=self.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


class RunningPostgres:
    """A server that runs already; it can't be stopped."""

    def __init__(self, url):
        self.url = url

    def stop(self):
        pytest.skip("TRIAGE_TEST_POSTGRES names a server, which a test does not stop")

    start = freeze = thaw = stop


def postgres_programs():
    """Return the folder of PostgreSQL's programs, None where it is not installed."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "pg_ctl").is_file()), None)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory):
    """A PostgreSQL server: `.url`, `.stop()` and `.start()`.

    TRIAGE_TEST_POSTGRES names one that runs already.
    """
    if url := os.environ.get("TRIAGE_TEST_POSTGRES"):
        yield RunningPostgres(url)
        return
    programs = postgres_programs()
    check_present("postgres", programs is not None)
    folder = Path(tempfile.mkdtemp(prefix="triage-postgres-"))
    server = Postgres(folder, programs)
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request, tmp_path):
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'a.db'}"
        return
    server = make_url(request.getfixturevalue("postgres_url").url)
    own = server.set(database=f"t{uuid.uuid4().hex}")
    engine = create_engine(server, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {own.database}"))
    yield own.render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {own.database} WITH (FORCE)"))
    engine.dispose()
