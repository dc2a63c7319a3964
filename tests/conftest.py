"""Shared parts: one model, trained once on the corpus in a home of its own."""

import os
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

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


@pytest.fixture
def need():
    """Skip a test whose part is absent, or fail it where TRIAGE_REQUIRE names the part."""

    def check(part, present):
        if not present and part in os.environ.get("TRIAGE_REQUIRE", "").split(","):
            pytest.fail(f"{part} is absent, but TRIAGE_REQUIRE names it")
        if not present:
            pytest.skip(f"{part} is not installed")

    return check


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
