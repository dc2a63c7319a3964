import json

import pytest

from triage.registry import MANIFEST_FILE, MODEL_FILE, Registry
from triage.schema import ArtifactError, UsageError


def save(registry, model=("a",), **facts):
    return registry.save(model, facts={"labels": {}, **facts}, metrics={"heads": {}})


def test_a_saved_model_loads_again_with_its_manifest(tmp_path):
    registry = Registry(tmp_path / "models")
    saved = save(registry, {"weights": [1, 2]}, seed=7)
    model, found = registry.load(saved.version)
    assert model == {"weights": [1, 2]}
    assert found.manifest["seed"] == 7
    assert set(found.manifest["files"]) == {MODEL_FILE, "metrics.json"}
    assert {"scikit-learn", "numpy"} <= set(found.manifest["libraries"])


def test_versions_of_one_minute_do_not_collide(tmp_path):
    registry = Registry(tmp_path)
    assert len({save(registry).version for _ in range(3)}) == 3
    assert len(registry.versions()) == 3


def test_a_failed_save_leaves_nothing_behind(tmp_path):
    registry = Registry(tmp_path)
    with pytest.raises(ZeroDivisionError, match="division"):
        registry.save({}, facts={}, metrics={}, write_files=lambda folder, version: 1 / 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / MODEL_FILE).write_bytes(b"evil"), "was changed after training"),
        (lambda f: (f / "metrics.json").write_text("{}"), "was changed after training"),
        (lambda f: (f / MODEL_FILE).unlink(), "lacks model.joblib: restore it"),
        (lambda f: (f / MANIFEST_FILE).write_text("no json"), "no readable manifest.json"),
        (lambda f: (f / MANIFEST_FILE).unlink(), "no readable manifest.json"),
        (lambda f: (f / MANIFEST_FILE).write_text("[1]"), "it is no JSON object"),
        (lambda f: rewrite(f, format=99), "has format 99, this triage reads 4: train again"),
        (lambda f: rewrite(f, files={}), "lists no model.joblib"),
        (lambda f: rewrite(f, libraries={"scikit-learn": "0.1"}),
         r"saved with scikit-learn 0\.1, but .*pip install scikit-learn==0\.1"),
    ],
    ids=["model", "metrics", "missing", "json", "manifest", "list", "format", "files", "library"],
)  # fmt: skip
def test_a_spoilt_folder_is_refused_before_anything_is_unpickled(
    tmp_path, monkeypatch, spoil, message
):
    registry = Registry(tmp_path)
    saved = save(registry)
    spoil(saved.path)
    monkeypatch.setattr("joblib.load", lambda path: pytest.fail("unpickled"))
    with pytest.raises(ArtifactError, match=message):
        registry.load(saved.version)


def rewrite(folder, **changes):
    manifest = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
    (folder / MANIFEST_FILE).write_text(json.dumps({**manifest, **changes}), "utf-8")


def test_a_file_outside_the_folder_is_refused(tmp_path):
    registry = Registry(tmp_path / "models")
    saved = save(registry)
    (tmp_path / "other").write_text("x")
    rewrite(saved.path, files={**saved.manifest["files"], "../../other": "0"})
    with pytest.raises(ArtifactError, match="lacks"):
        registry.verify(saved.version)


def test_a_key_signs_manifests(tmp_path):
    signed = save(Registry(tmp_path, "secret"))
    assert Registry(tmp_path, "secret").verify(signed.version).version == signed.version
    with pytest.raises(ArtifactError, match="not signed with TRIAGE_MODEL_KEY"):
        Registry(tmp_path, "other").verify(signed.version)
    unsigned = save(Registry(tmp_path))
    with pytest.raises(ArtifactError, match="not signed with TRIAGE_MODEL_KEY"):
        Registry(tmp_path, "secret").verify(unsigned.version)
    rewrite(signed.path, seed=8)
    with pytest.raises(ArtifactError, match="not signed"):
        Registry(tmp_path, "secret").verify(signed.version)


def test_promotion_switches_current_and_rollback_goes_back(tmp_path):
    registry = Registry(tmp_path)
    a, b, c = (save(registry).version for _ in range(3))
    for version in (a, b, c):
        registry.promote(version)
        assert registry.current() == version
    assert registry.rollback().version == b
    assert registry.rollback().version == a
    with pytest.raises(UsageError, match="no earlier promoted model"):
        registry.rollback()
    registry.promote(c)
    assert registry.rollback().version == a


def test_a_spoilt_model_is_not_promoted_and_the_old_one_stays(tmp_path):
    registry = Registry(tmp_path)
    good, bad = save(registry), save(registry)
    registry.promote(good.version)
    (bad.path / MODEL_FILE).write_bytes(b"evil")
    with pytest.raises(ArtifactError, match="was changed"):
        registry.promote(bad.version)
    assert registry.current() == good.version


def test_no_model_says_how_to_get_one(tmp_path):
    registry = Registry(tmp_path / "models")
    assert registry.versions() == []
    with pytest.raises(ArtifactError, match=r"No model is promoted.*python train\.py"):
        registry.load()
    with pytest.raises(UsageError, match="There is no model 2020 in .*registered: none yet"):
        registry.load("2020")


def test_an_unreadable_pickle_is_an_artifact_error(tmp_path):
    registry = Registry(tmp_path)
    saved = save(registry)
    (saved.path / MODEL_FILE).write_bytes(b"\x80\x04not a pickle")
    from triage.registry import file_digest

    digest = file_digest(saved.path / MODEL_FILE)
    rewrite(saved.path, files={**saved.manifest["files"], MODEL_FILE: digest})
    with pytest.raises(ArtifactError, match="can't be read by this triage"):
        registry.load(saved.version)


def test_a_torn_history_does_not_stop_a_rollback(tmp_path):
    registry = Registry(tmp_path)
    a, b = save(registry).version, save(registry).version
    registry.promote(a)
    registry.promote(b)
    with (tmp_path / "promotions.jsonl").open("a") as history:
        history.write('{"version": "c')
    assert registry.rollback().version == a


def test_a_promoted_version_that_is_gone_is_named(tmp_path):
    Registry(tmp_path)
    (tmp_path / "current").write_text("20200101-0000")
    with pytest.raises(ArtifactError, match="names 20200101-0000, which is not there"):
        Registry(tmp_path).load()


def test_versions_of_one_minute_keep_their_order(tmp_path):
    registry = Registry(tmp_path)
    made = [save(registry).version for _ in range(12)]
    assert registry.versions() == made
