"""Sums of money in a text, and which of them is lost or disputed.

The mere price of a thing is neither; a price counts once its return is demanded. Numerals are read
by cn2an; what stands around them says what they are.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple

Role = Literal["loss", "price", "other"]

_DIGIT = {str(n): n for n in range(10)} | {
    char: n for n, char in enumerate("一二三四五六七八九", 1)
}

OPEN_ENDED = 1.1
"""What 一万多 is counted as beside 一万: the sum is above, by how much nobody knows."""

_MOST = 1e12

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_HAN = "零〇一二两三四五六七八九十百千万亿几壹贰叁肆伍陆柒捌玖拾佰仟"
_NUMBER = rf"(?:{_DIGITS}(?:[万千百亿wk]\d{{0,4}})*|[{_HAN}]+(?:点[{_HAN}]+)?)"
_SUM_NOUN = "定金|订金|押金|保证金|学费|会费|工资|违约金|尾款|货款|医药费|首付|存款|积蓄|退款"
_AMOUNT = re.compile(
    rf"(?<![\da-z.])(?P<sign>¥|rmb|人民币)?(?P<low>{_NUMBER})(?:[-~—至到](?P<high>{_NUMBER}))?"
    rf"(?P<about>多|余|来|几|好几)?(?P<times>[万千百亿wk])?(?P<more>多|余|来)?个?"
    rf"(?P<unit>元|块钱|块|圆|rmb|人民币|大洋|毛|角)?(?P<small>[\d一二三四五六七八九])?"
    rf"(?P<noun>(?:的)?(?:{_SUM_NOUN}))?"
)
_NO_SUM = re.compile(
    r"(?:人|户|个|次|遍|名|位|家|件|单|台|部|辆|条|套|盒|瓶|包|箱|斤|公斤|克|米|平|公里|里路|字|步|年"
    r"|月|日|号|天|小时|分钟|点|度|层|楼|岁|毫安|兆|像素|粉丝|转|页|座|期|股|倍|%|级|本|张|只|分)"
)
_SENTENCE = "。!?;\n"
_LOSS_BEFORE = re.compile(
    r"(?:损失|亏|骗|盗刷|盗|刷走|刷了|转走|划走|扣|多收|多付|多交|多算|多出|乱收|收费|收了|收我|不退|没退|未退"
    r"|退款|退还|退回|退我|退给|退押|退定|退订|退钱|退费|退全|押金|定金|订金|保证金|预付|预存|充值|充了|充的"
    r"|赔|索要|欠|拖欠|罚|违约金|手续费|滞纳金|服务费|冻结|被偷|偷|丢|没了|不见|到账|少了|少给|少付|少发"
    r"|医药费|医疗费|维修费|修车|理赔|借走|卷走|卷款|投了|投资|投入|学费|报名费|讹|坑|要我|要价|敲诈|勒索"
    r"|误转|转错|转给|重铺|重装|重做|返工|光修|维修要|修理|修好要|余额|存款|积蓄|货款|工资|补贴|补助|补偿|返现|返还|账单|话费|消费|贷款|欺诈|套路|会费|尾款|少赔)"
    rf"[^{_SENTENCE}]{{0,10}}$"
)
_LOSS_AFTER = re.compile(
    rf"[^{_SENTENCE},]{{0,6}}(?:(?:没|不|未|拒)(?:有)?(?:退|给|还|到账|赔|兑现|返)|被(?:骗|盗|扣|转|划|冻|偷|刷|卷)|没了"
    r"|不见|不翼而飞|打水漂|要不回|退不|的?(?:损失|押金|定金|订金|保证金|违约金|手续费|退款|赔|欠款|货款|工资"
    r"|补贴|医药费|罚款|学费|会费|存款|余额|尾款|滞纳金))"
)
_PAID_BEFORE = re.compile(r"(?:花|交|付|充|办|买|刷|给了|支付|报了|缴|掏|价|打了)[^。!?;\n]{0,8}$")
_RETURN = re.compile(
    r"退(?:款|钱|费|还|回|我|给|全|一赔|押|定|订|不了|卡|课|票|房)|全额退|(?:不|拒绝|没|不给|不肯|不让)退|返还|赔"
)
_SETTLED = re.compile(
    r"(?:已经|已|都|全部|全额)(?:退|赔|还|到账|返|补)|(?:退|赔|补)(?:给我|还我)?了"
)
_DENIED = re.compile(r"(?:没有|没|不是|并未|未|如果|要是|万一|假如)[^。!?;,\n]{0,6}$")
_NO_LOSS = re.compile(r"(?:没有|没|未|无|不是)(?:多)?(?:损失|丢|被|扣|多收|多付|少)[^。!?;\n]{0,8}")
_MONEY_MARK = re.compile(rf"[元块万千百wk¥圆毛角]|rmb|人民币|\d(?:{_SUM_NOUN})")


class Amount(NamedTuple):
    """A sum of money in yuan, with its span in the normalised text and what it is."""

    value: float
    start: int
    end: int
    role: Role


def find_amounts(text: str) -> list[Amount]:
    """Find the sums of money in a normalised text.

    Parameters
    ----------
    text : str
        The normalised text.

    Returns
    -------
    list of Amount
        In the order of the text. `loss` is lost or disputed, `price` what a thing cost.

    Examples
    --------
    >>> [(found.value, found.role) for found in find_amounts("银行卡被盗刷两万块")]
    [(20000.0, 'loss')]
    >>> [(found.value, found.role) for found in find_amounts("八千多买的手机有划痕")]
    [(8800.0, 'price')]
    """
    if not _MONEY_MARK.search(text):
        return []
    found = []
    for match in _AMOUNT.finditer(text):
        value = _value(match)
        if value is None or not 0 < value <= _MOST:
            continue
        role = _role(text, match)
        if role == "other" and not (match["unit"] or match["sign"] or match["noun"]):
            continue  # a bare 两万 is money only where somebody lost, wants or paid it
        found.append(Amount(value, match.start(), match.end(), role))
    return found


def disputed_amount(text: str) -> Amount | None:
    """Return the largest sum that is lost or disputed, if there is one."""
    lost = [amount for amount in find_amounts(text) if amount.role == "loss"]
    return max(lost, key=lambda amount: amount.value, default=None)


def _value(match: re.Match[str]) -> float | None:
    """Return a match's sum in yuan; None where it is no sum of money."""
    number = match["high"] or match["low"]
    marked = bool(match["unit"] or match["sign"] or match["noun"])
    if number[0] in "万千百亿" or (number == "几" and not match["times"]):
        return None
    if not marked:
        if not (match["times"] or re.search(r"[万千百亿wk]", number)):
            return None
        if _NO_SUM.match(match.string, match.end()):
            return None
    spoken = number.replace(",", "").replace("几", "三") + (match["times"] or "")
    spoken = spoken.replace("w", "万").replace("k", "千")
    spoken = re.sub(r"([一二两三四五六七八])[二两三四五六七八九](?=[十百千万])", _later, spoken)
    value = _number(spoken)
    if value is None:
        return None
    if match["unit"] in ("毛", "角"):
        value /= 10
    elif match["unit"] and match["small"]:  # 三块五
        value += _DIGIT[match["small"]] / 10
    return (
        value * OPEN_ENDED
        if (match["about"] or match["more"]) in ("多", "余", "几", "好几")
        else value
    )


@lru_cache(maxsize=4_096)
def _number(spoken: str) -> float | None:
    """Read a number in digits, Han numerals or both; None where it is none."""
    if spoken.isdecimal() and spoken.isascii():
        return float(spoken)
    import cn2an  # 0.1 s, for the first numeral only

    try:
        return float(cn2an.cn2an(spoken, "smart"))
    except Exception:  # cn2an 0.5.24 answers odd numerals with any of KeyError and ValueError
        return None


def _later(match: re.Match[str]) -> str:
    """Read 三五百 as 五百."""
    return match.group()[1]


def _role(text: str, match: re.Match[str]) -> Role:
    """Tell a loss from a price by the words around a sum."""
    begin = max(text.rfind(mark, 0, match.start()) for mark in _SENTENCE) + 1
    before = text[max(begin, match.start() - 16) : match.start()]
    after = text[match.end() : match.end() + 12]
    if _DENIED.search(before) or _SETTLED.search(before) or _SETTLED.match(after):
        return "other"
    if _NO_LOSS.search(before) or _NO_LOSS.match(after):
        return "other"
    if match["noun"] or _LOSS_AFTER.match(after):
        return "loss"
    if _LOSS_BEFORE.search(before):
        return "loss"
    if _PAID_BEFORE.search(before) or after[:2] in ("买的", "买了", "买来", "的价", "入手"):
        return "loss" if _RETURN.search(text) else "price"
    return "other"
