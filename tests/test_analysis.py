"""The analyst's face: each function returns what its docstring says, or says what is wrong."""

import html
import re
import shutil

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

from triage import Complaint, Triage
from triage.analysis import (
    audit_labels,
    charts,
    compare,
    confusion,
    errors,
    explain,
    highlight,
    sentiment,
    similar,
    slices,
    small_model,
    styled,
    to_correct,
)
from triage.analysis.confusions import MOST_LABELS, _most_confused
from triage.data import read_corrections, ticket_key
from triage.engine import compare_versions, open_registry, read_tickets
from triage.policy import load_policy
from triage.registry import TICKETS_FILE
from triage.schema import HEADS, SEVERITIES, ArtifactError, TextError, UsageError

TEXT = "快递把冰箱摔坏了，客服一直不理，再不处理我就打12315"
SETTLED = "已更换新机并致歉"


@pytest.fixture(scope="module", autouse=True)
def own_home(home, tmp_path_factory):
    """A home of its own with two more versions, so that the shared one keeps its single model."""
    folder = tmp_path_factory.mktemp("analysis")
    shutil.copytree(home / "models", folder / "models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIAGE_HOME", str(folder))
        patch.setattr(mpl.rcParams, "figure.max_open_warning", 0, raising=False)
        yield folder
    pyplot.close("all")


@pytest.fixture(scope="module")
def promoted(own_home):
    return open_registry().current()


@pytest.fixture(scope="module")
def tickets(promoted):
    return read_tickets(open_registry().folder(promoted))


@pytest.fixture(scope="module")
def small(promoted):
    return small_model(300, promoted)


@pytest.fixture(scope="module")
def newer(promoted, small):
    """The small model as a registered version, its tickets with resolutions and no severity."""
    _, model, table = small
    known = table.assign(resolution=SETTLED, severity=None)
    saved = open_registry().save(
        model, facts={"rows": {}, "labels": {}}, metrics={},
        write_files=lambda folder, _: known.to_parquet(folder / TICKETS_FILE),
    )  # fmt: skip
    return saved.version


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    pyplot.close("all")


def test_errors_are_held_out_wrong_and_the_surest_first(tickets):
    found = errors(n=30)
    assert len(found) == 30
    assert (found["truth"] != found["answer"]).all()
    assert found["probability"].is_monotonic_decreasing
    sides = tickets.set_index("key")["side"]
    assert set(sides.loc[found["key"]]) == {"test"}


def test_all_errors_are_the_off_diagonal_of_the_confusion():
    table = confusion().table
    assert len(errors(n=10_000)) == table.to_numpy().sum() - np.trace(table)


def test_a_pair_of_classes_is_named_by_id_name_or_part_of_the_name():
    by_id = errors(truth=["logistics", "service"], answer=["logistics", "service"])
    by_name = errors(truth=["物流", "服务"], answer=["物流", "服务质量"])
    pd.testing.assert_frame_equal(by_id, by_name)
    assert set(by_id["truth"]) == set(by_id["answer"]) == {"logistics", "service"}


def test_errors_are_filtered_by_facts_and_words():
    every = errors(n=10_000)
    wanted = every["channel"].isin(["app", "web"]) & (every["length"] == "26–110")
    wanted &= every["text"].str.contains("了")
    found = errors(channel=["app", "web"], length="26–110", contains="了", n=10_000)
    assert 0 < len(found) < len(every)
    assert found["key"].tolist() == every.loc[wanted, "key"].tolist()


def test_errors_of_ordered_heads_go_by_how_far_they_are_off():
    found = errors(head="severity", n=10_000)
    steps = SEVERITIES.index
    off = found["answer"].map(steps) - found["truth"].map(steps)
    assert off.tolist() == found["steps_off"].tolist()
    assert off.abs().is_monotonic_decreasing
    assert (off != 0).all()


def test_the_phrases_of_an_error_are_words_of_its_text_that_weigh_toward_the_answer():
    for text, phrases in errors(n=20)[["text", "phrases"]].to_numpy():
        words = [part.rsplit(" ", 1) for part in phrases.split("、")]
        assert all(word in text and float(weight) >= 0 for word, weight in words)


def test_nothing_found_is_an_empty_table_with_the_same_columns():
    assert errors(contains="没有这样的话☃").columns.tolist() == errors(n=1).columns.tolist()


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"head": "mood"}, "no head 'mood': it must be one of nature, severity, emotion"),
        ({"version": "20010101-0000"}, "no model 20010101-0000 in .*; registered: "),
        ({"truth": "天气"}, r"no label '天气': name one of logistics \(物流\)"),
        ({"answer": "质量"}, r"several labels that could be '质量': name one of"),
        ({"chanel": "app"}, "no fact 'chanel' to filter by; they have channel, kind"),
    ],
    ids=["head", "version", "label", "several", "fact"],
)
def test_what_does_not_exist_is_named_with_what_there_is(wanted, message):
    with pytest.raises(UsageError, match=message):
        errors(**wanted)


def test_without_a_model_every_function_says_how_to_get_one(empty_home):
    for call in (errors, slices, confusion, small_model, compare, lambda: explain(TEXT)):
        with pytest.raises(ArtifactError, match="No model is promoted in .*train one with"):
            call()


def test_a_head_without_labels_has_nothing_to_judge(newer):
    with pytest.raises(UsageError, match=f"No held-out ticket of model {newer} has a label of sev"):
        errors(newer, "severity")


def test_all_words_of_an_explanation_add_up_to_the_margin():
    desk = Triage.load()
    for head in HEADS:
        found = explain(TEXT, heads=[head], n=None)
        [label] = set(found["toward"])
        matrix = desk.model.predict([desk.read(TEXT).prepared.text]).matrices[0]
        coefficients, _ = desk.model.head(head).direction(label)
        assert found["weight"].sum() == pytest.approx(float((matrix @ coefficients)[0]), abs=2e-3)
        assert "".join(found["phrase"]) == TEXT
        assert [TEXT[slice(*span)] for span in found["span"]] == found["phrase"].tolist()


def test_an_explanation_lists_the_strongest_words_of_each_head_without_marks():
    found = explain(TEXT, n=4)
    assert found["head"].tolist() == [head for head in HEADS for _ in range(4)]
    for _, part in found.groupby("head"):
        assert part["weight"].abs().is_monotonic_decreasing
        assert not part["phrase"].isin(["，"]).any()
    plain = explain("快递三天了还没送到，物流不更新", heads=["nature"], n=3)
    assert {"快递", "物流"} & set(plain.loc[plain["weight"] > 0, "phrase"])


def test_an_explanation_of_the_severity_passes_over_what_is_denied():
    found = explain("箱子掉下来，幸好没有人受伤", n=None)
    said = found.groupby("head")["phrase"].agg("".join)
    assert "受伤" in said["nature"]
    assert "受伤" not in said["severity"]


def test_an_explanation_reads_the_kind_of_contact():
    plain, told = (
        explain(Complaint(text="什么时候发货", kind=kind), heads=["severity"], n=None)
        for kind in (None, "question")
    )
    assert told["weight"].sum() > plain["weight"].sum()


def test_nothing_to_explain_is_an_error():
    with pytest.raises(TextError, match="The text is empty"):
        explain("  ")


def test_a_highlighted_text_is_whole_escaped_and_masked():
    text = "<b>电话13800001234</b>打不通 & 快递  丢了"
    shown = highlight(text)._repr_html_()
    body = shown[: shown.index('<div style="font-size')]
    plain = html.unescape(re.sub(r"<[^>]*>", "", body))
    assert plain == Triage.load().read(text).masked_text
    assert "13800001234" not in shown
    assert "<b>" not in shown


def test_a_word_for_one_label_is_coloured_against_another():
    def colour(toward):
        shown = highlight(TEXT, toward=toward).html
        return re.search(r"rgba\(([\d, ]+),[\d.]+\)\" title=\"[^\"]*\">快递<", shown)[1]

    assert colour("物流") != colour("价格")
    assert "「物流」的可能" in highlight(TEXT, toward="logistics").html


def test_the_confusion_counts_the_held_out_tickets(tickets):
    figure, table = confusion(head="emotion")
    rows = tickets[tickets["side"] == "test"]
    assert table.to_numpy().sum() == len(rows)
    assert table.loc["calm", "annoyed"] == (
        (rows["emotion"] == "calm") & (rows["emotion_answer"] == "annoyed")
    ).sum()  # fmt: skip
    assert len(figure.axes[0].get_xticklabels()) == 4
    assert confusion(head="emotion", channel="app").table.to_numpy().sum() == (
        (rows["channel"] == "app").sum()
    )


def test_a_chart_writes_chinese_where_a_font_can_else_ids_else_numbers(monkeypatch):
    monkeypatch.setattr(charts, "chinese_fonts", lambda: ["Noto Sans CJK SC"])
    assert charts.readable(["物流"], ["logistics"]) == ["物流"]
    monkeypatch.setattr(charts, "chinese_fonts", lambda: [])
    assert charts.readable(["物流"], ["logistics"]) == ["logistics"]
    assert charts.readable(["物流", "退款"]) == ["1", "2"]
    figure, _ = confusion(head="severity")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == list(SEVERITIES)
    assert figure.axes[0].title.get_fontfamily() == ["DejaVu Sans"]


def test_a_style_is_given_back_and_leaves_the_rest_alone():
    before = dict(mpl.rcParams)
    with styled():
        assert "DejaVu Sans" in mpl.rcParams["font.family"]
        mpl.rcParams["interactive"] = not before["interactive"]
    changed = {name for name in before if mpl.rcParams[name] != before[name]}
    mpl.rcParams["interactive"] = before["interactive"]
    assert changed == {"interactive"}


def test_of_many_labels_the_most_confused_are_drawn():
    counts = np.diag(np.full(30, 50))
    counts[25, 3] = counts[4, 29] = 7
    labels = [f"类{at}" for at in range(30)]
    shown = _most_confused(pd.DataFrame(counts, labels, labels))
    assert shown.shape == (MOST_LABELS, MOST_LABELS)
    assert {"类25", "类3", "类4", "类29"} < set(shown.index)


def test_slices_are_measured_on_their_tickets_the_weakest_first(tickets):
    found = slices(head="severity")
    assert found["right"].is_monotonic_increasing
    assert (found["low"] < found["right"] + 1e-9).all()
    assert (found["right"] < found["high"] + 1e-9).all()
    rows = tickets[(tickets["side"] == "test") & (tickets["channel"] == "app")]
    app = found[(found["fact"] == "channel") & (found["value"] == "app")].iloc[0]
    steps = SEVERITIES.index
    low = rows["severity_answer"].map(steps) < rows["severity"].map(steps)
    assert app["rows"] == len(rows)
    assert app["too_low"] == pytest.approx(low.mean(), abs=5e-4)
    assert app["right"] + app["too_low"] + app["too_high"] == pytest.approx(1, abs=2e-3)
    assert {"length", "kind", "industry"} < set(found["fact"])
    assert slices(head="severity", least=150)["rows"].min() >= 150


def test_what_is_most_similar_says_the_same_thing_and_is_another_ticket(tickets):
    text = tickets["text"].iloc[7]
    found = similar(text[:-1] + "呢！", n=3)
    assert found.loc[0, "text"] == text
    assert found.loc[0, "similarity"] > 0.7
    again = similar(text, n=3)
    assert ticket_key(text) not in [ticket_key(other) for other in again["text"]]
    assert again["similarity"].is_monotonic_decreasing
    assert len(again) == 3


def test_similar_tickets_show_how_they_were_labelled_and_resolved(promoted, newer):
    without, known = similar(TEXT, promoted), similar(TEXT, newer)
    assert without["resolution"].isna().all()
    assert set(known["resolution"]) == {SETTLED}
    assert {"nature", "severity", "emotion", "side", "channel", "text"} < set(known.columns)


def test_a_similar_ticket_shares_the_matter():
    found = similar("酒店房间里有蟑螂", n=5)
    assert found["text"].str.contains("蟑螂").sum() >= 3


def test_a_small_model_learns_from_training_tickets_only_and_comes_out_alike(
    promoted, small, tickets
):
    name, model, table = small
    again = small_model(300, promoted)[2]
    assert name == "small-300"
    assert table["key"].tolist() == again["key"].tolist()
    learned = table[table["side"] == "train"]
    assert len(learned) == 300
    assert set(learned["key"]) <= set(tickets.loc[tickets["side"] == "train", "key"])
    assert (table["side"] == "test").sum() == (tickets["side"] == "test").sum()
    assert model.predict(["太贵了"]).sentiment[0] != 0


def test_too_few_tickets_train_no_small_model():
    with pytest.raises(UsageError, match="A sample of 20 of .* tickets is too small"):
        small_model(20)


def test_a_small_challenger_is_compared_and_refused(promoted, small):
    found = compare(promoted, small)
    assert (found.champion, found.challenger, found.verdict) == (promoted, "small-300", "refuse")
    assert "不能启用" in found.sentences[0]
    assert found.figures["head"].tolist() == list(HEADS)
    assert (found.figures["difference"] < 0).all()
    assert found.protected.loc[found.protected["label"] == "critical", "worse"].all()
    gain = found.classes["challenger"] - found.classes["champion"]
    np.testing.assert_allclose(found.classes["difference"], gain, atol=1e-4)
    assert {"channel", "industry", "length"} <= set(found.slices["fact"])
    wrong = found.newly_wrong
    assert (wrong["champion"] == wrong["truth"]).all()
    assert (wrong["challenger"] != wrong["truth"]).all()


def test_the_newest_other_model_is_the_challenger(promoted, newer):
    found = compare()
    expected = compare_versions(open_registry(), newer, promoted, load_policy())
    assert (found.champion, found.challenger) == (promoted, newer)
    assert found.sentences == expected.sentences
    assert found.figures["head"].tolist() == ["nature", "emotion"]


def test_a_model_beside_itself_changes_nothing(promoted):
    found = compare(promoted, promoted)
    assert found.verdict == "warn"
    assert (found.figures["difference"] == 0).all()
    assert found.newly_right.empty
    assert found.newly_wrong.empty
    assert found.newly_wrong.columns.tolist()[:2] == ["key", "head"]


def test_the_only_model_has_no_challenger(promoted, tmp_path, own_home, monkeypatch):
    shutil.copytree(own_home / "models" / promoted, tmp_path / "models" / promoted)
    (tmp_path / "models" / "current").write_text(promoted)
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path))
    with pytest.raises(UsageError, match=f"{promoted} is the only registered model.*small_model"):
        compare()


def test_a_comparison_draws_the_recall_of_each_label(promoted, small):
    found = compare(promoted, small)
    axes = found.chart("emotion").axes[0]
    assert len(axes.get_yticklabels()) == 4
    champion = [point for point in axes.collections if point.get_label() == "champion"][0]
    drawn = champion.get_offsets()[:, 0]
    recalls = found.classes.loc[found.classes["head"] == "emotion", "champion"]
    np.testing.assert_allclose(drawn, recalls)
    with pytest.raises(UsageError, match="head 'mood' was not compared; compared were nature, sev"):
        found.chart("mood")


def test_a_sample_of_the_labels_is_audited_by_models_that_have_not_seen_them():
    found = audit_labels(300)
    assert found.judged == {"nature": 300, "severity": 300, "emotion": 300}
    assert len(found.suspects)
    assert (found.suspects["label"] != found.suspects["suggested"]).all()
    assert found.name("nature", "logistics") == "物流"


def test_sentiment_is_told_beside_snownlps_on_reviews():
    found = sentiment(n=30)
    assert found.columns.tolist() == ["text", "positive", "ours", "snownlp", "length"]
    assert len(found) == 30
    assert found[["ours", "snownlp"]].stack().between(0, 1).all()
    means = found.groupby("positive")["ours"].mean()
    assert means[1] > means[0] + 0.3


def test_errors_are_written_out_corrected_and_read_again(tmp_path):
    chosen = errors(n=6)
    path = to_correct(chosen, tmp_path / "更正.xlsx")
    table = pd.read_excel(path, dtype=object, engine="openpyxl")
    assert table["工单指纹"].tolist() == chosen["key"].tolist()
    assert table["正确性质"].isna().all()
    assert table["性质"].iloc[0] in {"产品质量", "服务质量", "价格", "物流", "其他"}
    assert table["模型判断"].str.count("，").eq(2).all()
    table.loc[:1, "正确性质"] = "物流"
    table.to_excel(path, index=False)
    names = {"nature": {"物流": "logistics"}}
    read = read_corrections(path, names=names).frame
    assert read["key"].tolist() == chosen["key"].tolist()[:2]
    assert set(read["label"]) == {"logistics"}


def test_rows_that_are_no_tickets_of_the_model_are_refused(tmp_path):
    with pytest.raises(UsageError, match="no column 'key', only text"):
        to_correct(pd.DataFrame({"text": ["坏了"]}), tmp_path / "a.csv")
    with pytest.raises(UsageError, match="knows none of the 1 tickets"):
        to_correct(pd.DataFrame({"key": ["0" * 14]}), tmp_path / "a.csv")
