"""The figures that pages use, in plain Chinese; a page explains exactly those that stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Term:
    """One figure.

    Attributes
    ----------
    name : str
        As it stands in tables.
    pattern : str
        Regular expression of what it is called in sentences.
    meaning : str
        What it says, how it is read, and where it ends.
    """

    name: str
    pattern: str
    meaning: str


TERMS: dict[str, Term] = {
    "held_out": Term(
        "留出工单", "留出",
        "训练时藏起来、模型从没见过的工单。只有在它们上面的成绩才说明新来的投诉会判得怎样；内容几乎相同的"
        "工单总在同一边。",
    ),
    "accuracy": Term(
        "判对比例", "判对比例",
        "判对的条数除以总条数。哪一类多，它就偏向哪一类，所以要和「全猜最多」对着看。",
    ),
    "precision": Term(
        "精确率", "精确率", "模型说是这一类的工单里，真是这一类的占多少。低，就是冤枉得多。"
    ),
    "recall": Term(
        "召回率", "召回率|找出比例",
        "真是这一类的工单里，模型找出来多少。低，就是漏得多；重大、特大投诉最怕它低。",
    ),
    "f1": Term(
        "F1", "F1",
        "精确率和召回率折中成一个数，0 最差，1 最好。各类先分别算，再平均，小类和大类一样重要。"
        "0.9 以上很好，0.8 以上好，0.7 以上尚可，0.5 以上偏弱，再低就别指望它了。",
    ),
    "kappa": Term(
        "κ", "κ|一致性",
        "模型与人工标注在有级别的项目上有多一致，瞎猜为 0，完全一致为 1；差两级比差一级扣得重。"
        "0.8 以上几乎一致，0.6 以上高度一致，0.4 以上一般，再低偏弱。"
        "两位认真的标注员之间约为 0.9。",
    ),
    "under": Term(
        "判轻比例", "判轻比例|低估",
        "判得比真实级别低的工单占多少。判轻比判重危险：急事会被当小事。处置时策略还会按误判代价、风险信号"
        "和金额往上提级，实际放过的比这里少。",
    ),
    "sure": Term(
        "把握", "把握",
        "模型给自己答案的概率，0 到 100%。准不准要看校准图：说九成把握的，应当十条对九条。",
    ),
    "ece": Term(
        "校准误差", "校准误差|ECE",
        "模型说的把握与实际判对比例平均差多少。0 最好；0.05 以内可以放心按把握分派。",
    ),
    "majority": Term(
        "全猜最多", "全猜最多",
        "不读内容，一律猜最多的那一类能得的成绩。模型至少要明显高过它。",
    ),
    "nature_only": Term(
        "只看性质", "只看性质",
        "不读内容，只按性质猜它最常见的严重程度能得的成绩。",
    ),
    "interval": Term(
        "95% 区间", "95% 区间",
        "换一批工单再量，结果多半落在这个范围。差距的区间整个在 0 的一边，才不像偶然。",
    ),
    "protected": Term(
        "受保护的类别", "受保护",
        "策略点名不许漏得更多的类别（protected_classes）。新模型在其中任何一类上漏得明显更多，就不能启用。",
    ),
    "auto": Term(
        "自动分派阈值", "自动分派",
        "对性质的把握达到它、处置等级又不到须人工的级别，工单就自动分派。训练时按策略要求的精确率定出。",
    ),
    "suggest": Term(
        "建议分派阈值", "建议分派",
        "把握在它和自动分派阈值之间的，系统给出建议，由人点头；再低的交人研判。",
    ),
    "coverage": Term(
        "覆盖率", "覆盖率",
        "把握达到某条线的工单占多少。线划得越高，敢判的越少，判得越准。",
    ),
    "auc": Term(
        "AUC", "AUC",
        "随便拿一条好评和一条差评，模型给好评的分更高的机会。0.5 等于瞎猜，1 为全对。",
    ),
    "brier": Term(
        "布里尔分", "布里尔",
        "打分与事实的平均平方差，0 最好，0.25 等于什么都不知道。",
    ),
    "extremes": Term(
        "挤在两端", "两端",
        "得分在 0.1 以下或 0.9 以上的占多少。几乎全挤在两端的打分，只分得出好坏，分不出轻重。",
    ),
    "slice": Term(
        "切片", "切片",
        "把留出工单按渠道、行业、字数等分开各量一遍，看模型在哪里偏弱。不足 20 条的不列。",
    ),
    "weight": Term(
        "深浅", "颜色深浅",
        "文字底色越深，这一处对判断的影响越大：红色把模型推向它答的（错的）那一类，绿色把它往回拉。",
    ),
    "quality": Term(
        "可信度", "可信度",
        "标签有多可信，0 最可疑，100 最可信：让没见过这条工单的模型来判，"
        "看它给原标签多少把握（置信学习）。",
    ),
    "confident": Term(
        "置信学习", "置信学习",
        "按每一类平时的把握定一条线，把明显更像别的类的标签挑出来的办法。挑出来的是可疑，不是一定错。",
    ),
    "similarity": Term(
        "相似度", "相似度", "两段内容有多像，100% 为一字不差。"
    ),
    "drop": Term(
        "依赖", "依赖程度",
        "从内容里删去这个词语，小模型在这些工单上的判对比例下降多少个百分点。降得多，说明标签是靠它猜出来的。",
    ),
    "share": Term(
        "混淆占比", "混淆占比",
        "两类工单合在一起，被判成对方的占多少。",
    ),
    "personal": Term(
        "个人信息", "个人信息",
        "手机号、身份证号、银行卡号、姓名、住址等。先遮成 * 再保存和显示，"
        "模型也只看到遮盖后的样子。",
    ),
    "duplicates": Term(
        "近似重复", "近似重复",
        "改几个字就一样的工单。它们会被归成一组，训练和留出不拆开。",
    ),
}  # fmt: skip
"""In the order in which a page explains them."""


class Glossary:
    """What one page explains: the terms that it has used so far.

    Examples
    --------
    >>> glossary = Glossary()
    >>> print(glossary.term("recall"))
    <a class="term" href="#term-recall">召回率</a>
    >>> _ = glossary.note("性质 F1：0.80 → 0.90")
    >>> [term.name for _, term in glossary.entries()]
    ['召回率', 'F1']
    """

    def __init__(self) -> None:
        self.used: set[str] = set()

    def term(self, key: str, shown: str | None = None) -> Markup:
        """Return a figure's name as a link to its explanation."""
        self.used.add(key)
        return Markup('<a class="term" href="#term-{}">{}</a>').format(
            key, shown or TERMS[key].name
        )

    def note(self, sentence: str) -> str:
        """Take note of the figures that a ready sentence names, and return it."""
        self.used |= {key for key, term in TERMS.items() if re.search(term.pattern, sentence)}
        return sentence

    def entries(self) -> Iterator[tuple[str, Term]]:
        """Yield key and term of those in use."""
        return ((key, term) for key, term in TERMS.items() if key in self.used)
