"""What an audit says in plain Chinese, what to do first on top."""

from __future__ import annotations

from triage.audit.result import Audit, masked
from triage.audit.suspects import WORST_QUALITY
from triage.schema import HEAD_NAMES, ORDERED_HEADS

MOST_LISTED = 3

_ASKS = {False: "先删固定用语", True: "先看这处固定用语"}
_WHERE = {"start": "开头", "end": "结尾", "anywhere": "句中"}


def summary_sentences(audit: Audit) -> list[str]:
    """Return what was found and what to do, the most urgent first.

    Leaking phrases come first, since they make every figure of the model too good; then labels that
    contradict each other, suspect labels, classes, change.

    Parameters
    ----------
    audit : Audit

    Returns
    -------
    list of str
        One or more; masked.
    """
    sentences = [
        *_leaks(audit), *_conflicts(audit), *_suspects(audit), *_small(audit), *_alike(audit),
        *_drift(audit),
    ]  # fmt: skip
    rows = max(audit.labelled.values(), default=0)
    if not sentences:
        return [f"检查了 {rows} 条有标签的工单，没有发现需要处理的问题。"]
    return [masked(sentence) for sentence in sentences]


def _leaks(audit: Audit) -> list[str]:
    return [
        f"{_ASKS[leak['kind'] == 'fixed']}：{_WHERE[leak['position']]}的「{leak['phrase']}」出现在 "
        f"{leak['rows']} 条工单里，其中 {leak['precision']:.0%} 的{HEAD_NAMES[leak['head']]}是"
        f"「{audit.name(leak['head'], leak['label'])}」{_lean(leak['drop'])}。{leak['advice']}。"
        for leak in audit.leaks.head(MOST_LISTED).to_dict("records")
    ] + _more(len(audit.leaks), "处可疑的固定用语")


def _lean(drop: float) -> str:
    return f"，删去它模型在这些工单上少对 {drop:.0f} 个百分点" if drop >= 1 else ""


def _conflicts(audit: Audit) -> list[str]:
    found = audit.conflicts
    if found.empty:
        return []
    same = int(found["identical"].astype(bool).sum())
    return [
        f"有 {len(found)} 组相同或几乎相同的内容标签不一致"
        f"（其中 {same} 组一字不差，共 {int(found['rows'].sum())} 条）："
        "请先统一这些标签，最省事也最有把握。"
    ]


def _suspects(audit: Audit) -> list[str]:
    issues = audit.suspects[audit.suspects["issue"].astype(bool)]
    if issues.empty:
        return []
    counts = issues["head"].value_counts()
    listed = "、".join(
        f"{HEAD_NAMES[head]} {counts[head]} 条（{counts[head] / judged:.1%}）"
        for head, judged in audit.judged.items()
        if head in counts
    )
    worst = int((issues["score"] < WORST_QUALITY).sum())
    return [
        f"标签可疑：{listed}"
        + (f"，最可疑的有 {worst} 条" if worst else "")
        + "。不都是标错，有些只是难判：请从表的最上面改起，改到十条里有九条本来就对时即可停下。"
    ]


def _small(audit: Audit) -> list[str]:
    sentences = []
    for level, says in (
        ("unlearned", "条数太少学不会，请补充工单或合并"),
        ("weak", "条数太少学不牢，请补充工单或合并"),
        ("unmeasured", "可以训练，但指标误差大，先别凭它下结论"),
    ):
        own = audit.small[audit.small["level"] == level]
        if len(own):
            listed = "、".join(
                f"{audit.name(row['head'], row['label'])}（{row['distinct']} 条）"
                for row in own.head(2 * MOST_LISTED).to_dict("records")
            )
            rest = f"等 {len(own)} 类" if len(own) > 2 * MOST_LISTED else ""
            sentences.append(f"{listed}{rest}{says}。")
    return sentences


def _alike(audit: Audit) -> list[str]:
    worrying = audit.alike[audit.alike["worrying"].astype(bool)]
    return [
        f"{HEAD_NAMES[pair['head']]}里{pair['sentence']}。请写明两者的分界"
        + ("。" if pair["head"] in ORDERED_HEADS else "，或考虑合并。")
        for pair in worrying.head(MOST_LISTED).to_dict("records")
    ] + _more(len(worrying), "对容易混淆的类")


def _drift(audit: Audit) -> list[str]:
    return [f"{sentence}。" for sentence in audit.drift["sentence"].head(2 * MOST_LISTED)] + _more(
        len(audit.drift), "处随时间的变化", 2 * MOST_LISTED
    )


def _more(total: int, what: str, listed: int = MOST_LISTED) -> list[str]:
    return [f"另有 {total - listed} {what}，见下文的表。"] if total > listed else []
