"""What a phrase reads like: the name of a label, an operator's note, a mood, or plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from triage.audit.repeats import fold
from triage.audit.result import display
from triage.data.columns import LABEL_ALIASES
from triage.schema import ORDERED_HEADS

_OPERATOR = re.compile(
    r"已[按转派核回登受上归升录结]|[转派]至|[转移]交|转[办派质]|归[类口属档为]|分类|类别|类型|定性|[判认]定"
    r"|质检|派单|工单|结案|销单|办结|核实|备注|标签|标注|跟进|复核|抽检|回访|升级|坐席|话务|类处理|类投诉|受理"
    r"|登记|[部组科]处理|专员|督办|批示|客服记录|处理人|经办"
)
"""Words of those who handle a ticket, about the handling. 处理 alone is a customer's word too."""

_MOOD = re.compile(
    r"情绪|语气|态度(?:激动|强硬|激烈|平和)|激动|愤怒|生气|气愤|恼火|暴怒|激烈|平静|冷静|平和|不满"
)
"""Words that say how a customer sounds."""

_FILLER = re.compile(
    r"属于|等级|级别|性质|问题|投诉|工单|程度|情绪|严重|事件|单$|[按归属为是类部组科级件转已]"
)
_NOT_LETTERS = re.compile(r"[\W\d_]+")

_CUT_OUT = "训练前从内容里删去"
ADVICE: Mapping[str, str] = {
    "tag": f"这是定性之后才写上的话，新工单里不会有：{_CUT_OUT}，或导出时改用客户原始描述",
    "note": f"这像是处理人员写的话，新工单里不会有：{_CUT_OUT}，或导出时改用客户原始描述",
    "tone": f"这是对客户语气的转述，只会把标签说一遍：{_CUT_OUT}，只留客户原话",
    "fixed": f"请核对是不是处理人员的固定用语：是，就在{_CUT_OUT}；是客户原话，可不理会",
}
"""What to do about a phrase of each kind."""


def kind_of(text: str, head: str, label: str, names: Mapping[str, Mapping[str, str]]) -> str:
    """Tell what a folded phrase reads like.

    Parameters
    ----------
    text : str
        See `repeats.fold`.
    head, label : str
        What nearly all of its tickets are labelled.
    names : mapping of head to mapping of label to str
        Display names.

    Returns
    -------
    {"tag", "note", "tone", "fixed"}
        The label's name, or the first two characters of it, with no more than words about labels
        around it; words about the handling of
        a ticket; for ordered heads words about how the customer sounds; none of them.

    Examples
    --------
    >>> kind_of("已按物流类处理", "nature", "logistics", {"nature": {"logistics": "物流"}})
    'tag'
    >>> kind_of("物流太慢", "nature", "logistics", {"nature": {"logistics": "物流"}})
    'fixed'
    """
    aliases = [alias for alias, step in LABEL_ALIASES.get(head, {}).items() if step == label]
    known = [fold(name) for name in (display(names, head, label), label, *aliases)]
    if any(_names(text, name) for name in (*known, *(name[:2] for name in known))):
        return "tag"
    if _OPERATOR.search(text):
        return "note"
    return "tone" if head in ORDERED_HEADS and _MOOD.search(text) else "fixed"


def _names(text: str, name: str) -> bool:
    """Tell whether a phrase is a name of a label and no more; one character needs brackets."""
    if not name or name not in text or (len(name) < 2 and text[:1].isalnum()):
        return False
    return not _FILLER.sub("", _OPERATOR.sub("", letters_of(text.replace(name, ""))))


def letters_of(text: str) -> str:
    """Return a text without digits, marks and blanks."""
    return _NOT_LETTERS.sub("", text)
