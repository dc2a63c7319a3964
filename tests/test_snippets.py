"""The callers and examples that the documentation shows: a real service answers them."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from server import ROOT, serve
from typer.main import get_command
from typer.testing import CliRunner

from triage.cli import app
from triage.service.keys import add_key
from triage.settings import Settings, load_settings

SNIPPETS = ROOT / "docs" / "snippets"
DEPLOY = ROOT / "docs" / "deploy"
OPERATION = ROOT / "docs" / "operation.md"


@pytest.fixture(scope="module", params=["open", "keyed"])
def caller(request, home, tmp_path_factory):
    """Run a command as a caller, with a key where one is asked for; return what it prints."""
    folder = tmp_path_factory.mktemp("called")
    (folder / "models").symlink_to(home / "models")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TRIAGE_HOME", str(folder))
        keys = load_settings().keys_file
        key = add_key(keys, "crm", ["assess"])[0] if request.param == "keyed" else ""

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
    files = [OPERATION, *DEPLOY.iterdir()]
    named = {name for file in files for name in re.findall("TRIAGE_[A-Z_]+", file.read_text())}
    known = {f"TRIAGE_{name.upper()}" for name in Settings.model_fields}
    assert {"TRIAGE_HOME", "TRIAGE_STORE"} <= named
    assert named - known == {"TRIAGE_DB_PASSWORD"}


def test_the_guide_names_commands_and_options_that_there_are():
    text = OPERATION.read_text("utf-8") + (DEPLOY / "triage.service").read_text("utf-8")
    commands = set(re.findall(r"(?:as_triage |`|bin/|--rm )triage ([a-z]+(?: [a-z]+)?)", text))
    assert {"keys add", "models promote", "store drain", "serve"} <= commands
    for command in commands:
        assert has_command(get_command(app), command.split()), command
    shown = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"}).output
    for option in ("--workers", "--host", "--forwarded-allow-ips", "--ssl-keyfile"):
        assert option in text and option in shown


def has_command(group, words):
    """Whether words lead to a command; the last may be an argument."""
    for word in words:
        if not hasattr(group, "commands"):
            return True
        if word not in group.commands:
            return False
        group = group.commands[word]
    return True


def test_the_compose_file_keeps_data_in_volumes_and_waits_for_the_database():
    found = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    ours, database = found["services"]["triage"], found["services"]["db"]
    volumes = [mount.split(":")[0] for one in (ours, database) for mount in one["volumes"]]
    assert volumes == list(found["volumes"])
    assert ours["read_only"] and "/readyz" in str(ours["healthcheck"]["test"])
    assert ours["depends_on"]["db"]["condition"] == "service_healthy"
    assert (ROOT / ours["build"]["dockerfile"]).is_file()


def test_systemd_takes_the_unit(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    unit = (DEPLOY / "triage.service").read_text("utf-8")
    unit = re.sub("^(User|Group)=.*", r"\1=root", unit, flags=re.M)
    unit = re.sub("^ExecStart=.*", "ExecStart=/bin/true", unit, flags=re.M)
    (tmp_path / "triage.service").write_text(unit, "utf-8")
    command = ["systemd-analyze", "verify", str(tmp_path / "triage.service")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["assess.sh", "assess.py", "Assess.java"])
def test_the_readme_shows_the_snippet_that_is_run(name):
    assert (SNIPPETS / name).read_text("utf-8").rstrip() in (ROOT / "README.md").read_text("utf-8")
