"""Find personal data and mask it, one character by one, so that spans stay true.

The kinds are those that the Personal Information Protection Law (PIPL) makes a complaint desk
protect: mobile, landline, identity card, bank card, e-mail, plate, WeChat and QQ ids, house and
room numbers, names with a cue. Order, ticket, model and policy numbers are kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from triage.schema import Span
from triage.text import Normalised, normalise

MASK = "*"
"""What stands for each masked character."""

_KEPT_NUMBER = re.compile(
    r"(?:订单|单号|运单|工单|快递单|流水|编号|型号|保单|合同|发票|票号|航班|学号|户号|序列号|取件码"
    r"|条码|货号|批号|案号|凭证|order|sn|no)(?:编?号码?|单号|尾号|是|为|[:#. ]|no|id){0,4}$"
)
_PHONE_WORD = re.compile(r"(?:^|[^a-z])(?:tel|phone|mobile|mob|call|t|m)[.:]? ?$")
_ID_CUE = re.compile(r"身份证[^\d。;!?\n]{0,8}$")
_CARD_CUE = re.compile(
    r"(?:卡号|银行卡|储蓄卡|信用卡|借记卡|工资卡|账号|帐号|账户|帐户|card)[^\d。;!?\n]{0,10}$"
    r"|卡[号是为: ]{0,3}$"
)
_ISSUER = re.compile(r"62\d{14,17}$|4\d{15}$|5[1-5]\d{14}$|9558\d{15}$|3[47]\d{13}$|35\d{14}$")
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_SURNAMES = (
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏窦章苏潘葛范彭郎鲁韦"
    "马苗凤方俞任袁柳鲍史唐费薛雷贺倪汤滕殷罗毕郝邬安常乐于傅皮齐康伍余顾孟黄穆萧尹姚邵汪祁毛禹狄"
    "米贝明臧伏成戴谈宋庞熊纪舒屈项祝董梁杜阮蓝闵席季贾路娄江童颜郭梅盛林钟徐邱骆高夏蔡田樊胡凌霍"
    "虞万柯卢莫房缪解应宗丁宣邓单杭洪包左石崔吉龚程嵇邢裴陆荣翁荀甄封靳糜松井段富巫焦巴牧山谷车侯"
    "宓全班仰秋仲宫宁仇栾甘厉祖武符刘景詹束龙叶幸司黎薄印白怀蒲卓蔺屠蒙池乔翟谭劳申冉雍桑桂牛燕"
    "尚温庄晏柴瞿阎慕连茹习艾容向古易廖庾居衡耿满弘匡文寇广东欧沃利蔚越师巩聂晁敖冷辛阚简饶沙丰"
    "关相查后荆游竺权覃付肖闫代岳涂植麦佟苟原苑邸隋亓"
)
_COMPOUND = "欧阳|司马|上官|诸葛|东方|皇甫|尉迟|公孙|慕容|司徒|令狐|夏侯|端木|南宫|独孤|轩辕"
_TITLE = "先生|女士|小姐|太太"
_NOT_A_NAME = re.compile(r"师傅|经理|老板|总|医生|老师|主任|阿姨|叔|哥|姐|警官|律师|队长|工$")
_AFTER_NAME = (
    "在来是今于的电手联住性身和与想要有买去说因我他她家从向被给这那现也就曾已年号称系为先女小太"
)
_CALLED = "车|马上|全|白|高|和|于|左|向|温|冷|安|强|盛|满|了|一|单|号"
_NUMERAL = r"(?:\d{1,5}|[一二三四五六七八九十百]{1,4})"


class Personal(NamedTuple):
    """One piece of personal data: its kind and its span in the normalised text."""

    kind: str
    start: int
    end: int


class _Rule(NamedTuple):
    """A pattern whose group 1 (or whole match) is personal data where `holds` says so."""

    kind: str
    needs: str
    pattern: re.Pattern[str]
    holds: Callable[[str, re.Match[str]], bool]


def _always(text: str, found: re.Match[str]) -> bool:
    return True


def _no_kept_number(text: str, found: re.Match[str]) -> bool:
    """Tell a telephone number from an order, ticket or model number."""
    begin = max(0, found.start() - 20)
    if _KEPT_NUMBER.search(text, begin, found.start()):
        return False
    before = text[begin : found.start()]
    return (
        not before[-1:].isascii() or not before[-1:].isalpha() or bool(_PHONE_WORD.search(before))
    )


def _is_identity_card(text: str, found: re.Match[str]) -> bool:
    """Ask for the check digit of GB 11643-1999, or for the cue 身份证."""
    if _ID_CUE.search(text, max(0, found.start() - 20), found.start()):
        return True
    digits = re.sub(r"[ -]", "", found.group())
    if len(digits) != 18 or not "1900" <= digits[6:10] <= "2099":
        return False
    rest = sum(int(d) * w for d, w in zip(digits, _ID_WEIGHTS, strict=False)) % 11
    return digits[17] == "10x98765432"[rest]


def _is_bank_card(text: str, found: re.Match[str]) -> bool:
    """Ask for a cue, or for Luhn's sum with a known issuer prefix and no order number's cue.

    One random 18-digit number in ten passes Luhn alone.
    """
    if _CARD_CUE.search(text, max(0, found.start() - 24), found.start()):
        return True
    digits = re.sub(r"\D", "", found.group())
    return bool(_ISSUER.match(digits)) and passes_luhn(digits) and _no_kept_number(text, found)


def passes_luhn(digits: str) -> bool:
    """Tell whether a string of digits passes the Luhn sum of ISO/IEC 7812-1.

    Examples
    --------
    >>> passes_luhn("6222020000000000000"), passes_luhn("6222020000000000009")
    (True, False)
    """
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 * (doubled > 9)
    return total % 10 == 0


def _is_name(text: str, found: re.Match[str]) -> bool:
    """Tell a full name from staff in office (王师傅, 李经理)."""
    return not _NOT_A_NAME.match(text, found.end(1))


_RULES = (
    _Rule("email", "@", re.compile(r"[\w.+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.A), _always),
    _Rule(
        "identity_card", "18",
        re.compile(r"(?<![\da-z])\d{6}[ -]?\d{8}[ -]?\d{3}[\dx](?![\da-z])|(?<!\d)\d{15}(?!\d)"),
        _is_identity_card,
    ),
    _Rule(
        "bank_card", "12",
        re.compile(r"(?<![\da-z])\d{4}(?:[ -]?\d{4}){2,3}(?:[ -]?\d{1,3})?(?![\da-z])"),
        _is_bank_card,
    ),
    _Rule(
        "mobile", "11",
        re.compile(r"(?<!\d)(?:\+?86[ -]?)?1[3-9]\d[-. ·]?\d{4}[-. ·]?\d{4}(?!\d)"),
        _no_kept_number,
    ),
    _Rule(
        "landline", "7",
        re.compile(r"(?<![\d-])(?:\(0\d{2,3}\) ?|0\d{2,3}[ -]?)"
            r"[2-8]\d{6,7}(?: ?[-转] ?\d{1,6})?(?!\d)"),
        _no_kept_number,
    ),
    _Rule(
        "landline", "7",
        re.compile(r"(?:电话|座机|固话|致电|回电|拨打)"
            r"[号码是为:: ]{0,5}([2-8]\d{3}[ -]?\d{3,4})(?!\d)"),
        _always,
    ),
    _Rule(
        "plate", "",
        re.compile(
            r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领][a-hj-z][·.\- ]?"
            r"(?=[a-z挂学警港澳]*\d)[a-hj-np-z0-9]{4,5}[a-hj-np-z0-9挂学警港澳](?![a-z0-9])"
        ),
        _always,
    ),
    _Rule(
        "account", "",
        re.compile(
            r"(?:微信|wechat|weixin|wx|vx|v信|威信|薇信)(?:号码?|id)?(?:是|为|[:: ]){0,3}"
            r"([a-z][a-z0-9_-]{5,19})(?![a-z0-9_-])"
        ),
        _always,
    ),
    _Rule(
        "account", "5",
        re.compile(r"(?:qq|扣扣|企鹅)(?:号码?)?(?:是|为|[:: ]){0,3}([1-9]\d{4,10})(?!\d)"),
        _always,
    ),
    _Rule(
        "address", "",
        re.compile(
            rf"(?<=[路街巷弄道同村里组])(\d{{1,5}}(?:弄\d{{1,4}})?号)(?![线令])"
            rf"|{_NUMERAL}(?:号楼|栋|幢)(?:{_NUMERAL}单元)?(?:\d{{2,5}}[室房号户]?)?"
            rf"|{_NUMERAL}单元(?:\d{{2,5}}[室房号户]?)?"
            r"|(?<=[区园苑寓府庭湾邸院城])(?:\d{1,3}[-#座])+\d{2,5}[室房]?(?!\d|[年月])"
            r"|(?<![\da-z])\d{3,5}室"
        ),
        _always,
    ),
    _Rule(
        "name", "",
        re.compile(
            rf"(?:姓名|联系人|我叫(?!{_CALLED})|我的名字是|本人)(?:是|为|叫|[:: ]){{0,3}}"
            rf"((?:(?:{_COMPOUND})[\u4e00-\u9fff]|[{_SURNAMES}][\u4e00-\u9fff])"
            rf"(?:(?![{_AFTER_NAME}])[\u4e00-\u9fff])?)"
        ),
        _is_name,
    ),
    _Rule(
        "name", "",
        re.compile(
            rf"(?:(?<=[,.;!?、。\s]|[户人主客叫是找位和由为给跟与向被])|^)"
            rf"((?:{_COMPOUND}|[{_SURNAMES}])[\u4e00-\u9fff]{{0,2}}?)(?={_TITLE})"
        ),
        _always,
    ),
    _Rule(
        "name", "",
        re.compile(rf"((?:{_COMPOUND})|(?<![对关由至属在终])[{_SURNAMES}])(?={_TITLE})"),
        _always,
    ),
)  # fmt: skip


def find_personal(normalised: str) -> list[Personal]:
    """Find personal data in a normalised text.

    Parameters
    ----------
    normalised : str
        The `text` of a `Normalised`.

    Returns
    -------
    list of Personal
        In the order of their place, without overlaps.
    """
    digits = sum(map(normalised.count, "0123456789"))
    found: list[Personal] = []
    for rule in _RULES:
        if rule.needs.isdigit() and digits < min(int(rule.needs), 17):
            continue
        if rule.needs == "@" and "@" not in normalised:
            continue
        for match in rule.pattern.finditer(normalised):
            group = 1 if rule.pattern.groups and match.group(1) else 0
            if rule.holds(normalised, match):
                found.append(Personal(rule.kind, *match.span(group)))
    return _without_overlaps(found)


def _without_overlaps(found: list[Personal]) -> list[Personal]:
    """Merge overlapping pieces under the kind of the first."""
    if len(found) < 2:
        return found
    merged: list[Personal] = []
    for piece in sorted(found, key=lambda piece: (piece.start, -piece.end)):
        if merged and piece.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = last._replace(end=max(last.end, piece.end))
        else:
            merged.append(piece)
    return merged


def mask_spans(text: str, spans: Iterable[Span]) -> str:
    """Put `MASK` over each character of the given spans of a text."""
    characters: list[str] | None = None
    for start, end in spans:
        characters = characters or list(text)
        characters[start:end] = MASK * (end - start)
    return text if characters is None else "".join(characters)


def mask(text: str) -> str:
    """Mask the personal data in a text; the length stays.

    Examples
    --------
    >>> mask("我叫李小明，电话13800001234，订单号20261122334455")
    '我叫***，电话***********，订单号20261122334455'
    """
    normalised = normalise(text)
    personal = find_personal(normalised.text)
    return mask_spans(text, (normalised.original(p.start, p.end) for p in personal))


def with_placeholders(normalised: Normalised, personal: list[Personal]) -> Normalised:
    """Put one `MASK` for each piece of personal data, as a masked text would show it.

    A text and its masked form give the same result, so that both score alike.
    """
    if not personal and MASK not in normalised.text:
        return normalised
    masked = mask_spans(normalised.text, (Span(p.start, p.end) for p in personal))
    cuts = []
    for run in re.finditer(r" *\*[* ]*", masked):
        kept = masked.index(MASK, run.start())
        cuts += [(run.start(), kept), (kept + 1, run.end())]
    replaced = Normalised(masked, normalised.starts, normalised.ends, normalised.source_length)
    return replaced.without(cuts)
