"""The callers that the documentation shows, against a real service that asks for a key."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from server import ROOT, serve

from triage.service.keys import add_key
from triage.settings import Settings, load_settings

SNIPPETS = ROOT / "docs" / "snippets"


@pytest.fixture(scope="module")
def caller(home, tmp_path_factory):
    """Run a command as a caller with a key; return what it prints."""
    folder = tmp_path_factory.mktemp("called")
    (folder / "models").symlink_to(home / "models")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TRIAGE_HOME", str(folder))
        key, _ = add_key(load_settings().keys_file, "crm", ["assess"])

    def call(*command):
        env = {**os.environ, "TRIAGE_URL": f"http://127.0.0.1:{running.port}", "TRIAGE_KEY": key}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with serve(folder) as running:
        yield call


def test_the_curl_snippet_gets_an_answer_that_is_stored(caller):
    one = json.loads(caller("bash", str(SNIPPETS / "assess.sh")))
    assert (one["id"], one["grade"], one["stored"]) == ("工单-001", "critical", True)


def test_the_python_snippet_prints_grade_and_team(caller):
    grade, team, stored = caller(sys.executable, str(SNIPPETS / "assess.py")).split()
    assert (grade, team[-1], stored) == ("重大", "组", "True")


def test_the_java_snippet_gets_an_answer_that_is_stored(caller):
    if not shutil.which("javac"):
        pytest.skip("javac is not installed")
    command = ("java", "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8")
    status, _, body = caller(*command, str(SNIPPETS / "Assess.java")).partition(" ")
    assert (status, json.loads(body)["stored"]) == ("200", True)


def test_the_examples_of_operation_name_settings_that_there_are():
    files = [ROOT / "docs" / "operation.md", *(ROOT / "docs" / "deploy").iterdir()]
    named = {name for file in files for name in re.findall("TRIAGE_[A-Z_]+", file.read_text())}
    known = {f"TRIAGE_{name.upper()}" for name in Settings.model_fields}
    assert {"TRIAGE_HOME", "TRIAGE_STORE"} <= named
    assert named - known == {"TRIAGE_DB_PASSWORD"}


@pytest.mark.parametrize("name", ["assess.sh", "assess.py", "Assess.java"])
def test_the_readme_shows_the_snippet_that_is_run(name):
    assert (SNIPPETS / name).read_text("utf-8").rstrip() in (ROOT / "README.md").read_text("utf-8")
