"""Numbers that name a person: identity card, bank card, mobile, landline; and e-mail.

A number is judged by its shape and by the nearest label before it: 订单号 keeps what looks like
a mobile, 卡号 masks what fails Luhn's sum. A label holds for a whole list (13800001234、139…).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from triage.privacy.pieces import Personal

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ISSUER = re.compile(r"62\d{14,17}$|4\d{15}$|5[1-5]\d{14}$|9558\d{15}$|3[47]\d{13}$|35\d{14}$")
_UNION_PAY = re.compile(r"62(?:[1-35]\d|6[0-2]|8[0-3])\d{12}(?:\d{3})?$")
_BORN = re.compile(
    r"(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])\d{4}(?:19|20)\d\d(?:0[1-9]"
    r"|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dx]$"
)
_DATE = re.compile(r"(?:19|20)\d\d[ -]?(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$")

_LABEL = re.compile(
    r"(?P<card>卡号?|[账帐][号户]|户头|存?折子?号?|[退汇转][至到入]|card)"
    r"|(?P<id>身份证?|证件|身份号|通行证|居住证|军官证|护照|驾照|驾驶证)"
    r"|(?P<phone>手机|电话|座机|固话|热线|致电|[回来去宅]电|拨|联系|传真|打|短信|呼叫|移动|联通"
    r"|电信"
    r"|机主|本机|(?<=[,:;。 ])号"
    r"|(?<![a-z])(?:tel|telephone|phone|mobile|mob|cell|call|fax|m|t|ph)(?![a-z])"
    r"(?:\.? ?no)?)"
    r"|(?P<kept>单|编[号码]|流水|型号|合同|发票|航班|凭证|追踪|(?<!号)码|(?<![a-z])(?:order|sn|no"
    r"|imei)"
    r"|准字号|[\u4e00-\u9fff](?<![机话证信同个新旧老原换的小大靓这那本我他她副主人系该此叫打用呼拨"
    r"接停销"
    r"一二三四五六七八九十区全陆子伴妈爸妻夫哥姐弟妹友家公婆])号)"
)
_FILLER = (
    r"(?:编?号码?|单号|尾号|就?是|为|有|我?查了|我的|分别|查到|[一两三]个|[那这]个|[:#.(\[【\"'="
    r" 、,_我的了]"
    r"|no|id)"
)
_TIGHT = re.compile(rf"{_FILLER}{{0,6}}$")
_PHONE_GAP = re.compile(
    r"(?:号码?|就?是|为|[:(\[【\"'= 的了过到给请可他她它用至在里呀啊哦呢那个我家]|人|方式|办公室?"
    r"|单位|公司"
    r"|你们|这个|宅|住宅|固定|[及或/和]|我们|,)*$"
)
_LISTED = re.compile(
    r"(?:(?<![\da-z])[\d*][\d* .·_-]{4,}[\d*]) ?"
    r"(?:\([^()\d]{1,6}\) ?)?(?:[/、,|&;和或及与跟]|或者|还有|以及)+ ?(?:是|为)?$"
)
_PHONE_LETTERS = re.compile(
    r"(?:^|[^a-z])(?:tel|telephone|phone|mobile|mob|call|cell|fax|t|m|p|v|vx|wx|wechat|whatsapp|qq"
    r"|\+?86|0086)[-_.:/ ]*$"
)
_KEPT_AFTER = re.compile(
    r"[)\"' ]{0,2}(?:(?:就?是|为)(?:我|你们|本次|这)?的?(?:那|这)?[个笔张]?|[这那][个笔张一]{0,2}"
    r"|号|此|该)"
    r"(?:订单|运单|工单|保单|快递|单|合同|流水|发票)"
)
_AMOUNT_AFTER = re.compile(r"(?:\.\d+)? ?(?:元|块|万|亿|度|吨|公里|千瓦|km|kwh|kg|米|字节)")
_PHONE_AFTER = re.compile(
    r"[)\"' ,]{0,2}(?:就?是|这个|那个|为)[^\d。;!?]{0,6}(?:电话|座机|固话|号码)"
)

_SPOKEN = re.compile(r"[零〇幺一二三四五六七八九]{3,}")
_SPOKEN_DIGITS = str.maketrans("零〇幺一二三四五六七八九", "001123456789")

_GAP = r"[ .·_—–~-]{0,3}"
_AREA = re.compile(
    r"(?:00)?(?:86)?0?(?:10|2[0-57-9]|3(?:1\d|35|49|[57]\d|9[1-8])|4(?:1\d|2[179]|3\d|[57]\d|40|48|6[4789]|8[23])"
    r"|5(?:1\d|2[37]|3\d|4[36]|5\d|6[1-6]|[79]\d|80)|6(?:3[1-5]|6[0238]|9[12])"
    r"|7(?:0[12]|1\d|2[248]|3\d|4[3-6]|5\d|6[0236-9]|[79]\d)"
    r"|8(?:1[2-8]|2[5-7]|[357]\d|8[1-8]|9[1-8])|9(?:0[1-9]|1\d|3\d|4[13]|5[1-5]|7\d|9\d))"
)
_EXTENSION = r"(?: ?[,(]?(?:转?接?分机号?|转|ext\.?|x|#|-)[: 号]?\d{1,6}\)?)?"
_EMAIL = re.compile(
    r"[\w.+-]+ ?(?:@|\(at\)|\[at\]|艾特) ?[a-z0-9-]+"
    r"(?: ?(?:\. ?[a-z0-9-]|(?:。|点|\(dot\)) ?[a-z])[a-z0-9-]*)+",
    re.A,
)
_IDENTITY = re.compile(
    rf"(?<![\da-z])\d(?:{_GAP}\d){{14}}(?:(?:{_GAP}\d){{2}}{_GAP}[\dx×])?(?![\da-z])"
)
_CARD = re.compile(rf"(?<![\da-z])\d(?:{_GAP}\d){{11,18}}(?![\da-z])")
_MOBILE = re.compile(
    rf"(?<![\d.])(?:\(?(?:\+|00)?86\)?{_GAP})?(?:\((?=\d{{3,4}}\)))?0?(1{_GAP}[3-9](?:["
    rf" .·_—–~)/,-]{{0,3}}\d){{9}})(?!\d)"
    r"(?: ?转 ?\d{1,6})?"
)
_LANDLINE = re.compile(
    rf"(?<![\d*])(?<!\d-)(?:(?:\(?(?:\+|00)86\)?{_GAP}|86[ -])\(?0?[1-9]\d{{1,2}}\)?|\(0\d{{2,3}}\)"
    rf"|0\d{{2,3}}){_GAP}([2-8](?:[ .·_—–-]?\d){{6,7}}){_EXTENSION}(?!\d)"
)
_LOCAL = re.compile(
    rf"(?<![\d.*])(?<!\d[- ])(?![48]00)[2-8]\d{{2,3}}[ -]?\d{{4}}({_EXTENSION})(?![\d*])(?!-\d)"
)
_PASSPORT = re.compile(
    r"(?:护照|通行证|台胞证|回乡证|军官证)(?:号码?|是|为|[: ]){0,4}([a-z]{0,2}\d{7,10})(?![\da-z])"
)
_MOBILE_GROUPS = {(11,), (3, 4, 4), (3, 8), (7, 4), (4, 7), (3, 3, 5), (4, 3, 4), (5, 6), (6, 5),
                  (3, 5, 3), (5, 3, 3), (4, 4, 3), (3, 2, 2, 2, 2), (1,) * 11}  # fmt: skip

_ROUND = re.compile(r"[1-9]\d*0$")


def find_numbers(text: str) -> Iterator[Personal]:
    """Find e-mail addresses, identity and bank cards, mobiles and landlines."""
    if "@" in text or "(at)" in text or "艾特" in text:
        yield from (Personal("email", *found.span()) for found in _EMAIL.finditer(text))
    digits = sum(map(text.count, "0123456789"))
    if spoken := _SPOKEN.findall(text):
        digits += sum(map(len, spoken))
        if digits >= 7:
            text = _SPOKEN.sub(lambda run: run.group().translate(_SPOKEN_DIGITS), text)
    if digits < 7:
        return
    if digits >= 12:
        yield from _long_numbers(text)
    for found in _MOBILE.finditer(text) if digits >= 11 else ():
        if _is_mobile(text, found):
            yield Personal("mobile", *found.span())
    for found in _LANDLINE.finditer(text):
        if _is_landline(text, found):
            yield Personal("landline", *found.span())
    for found in _LOCAL.finditer(text):
        if _is_local(text, found):
            yield Personal("landline", *found.span())
    for found in _PASSPORT.finditer(text):
        yield Personal("identity_card", *found.span(1))


def _long_numbers(text: str) -> Iterator[Personal]:
    """Find identity and bank cards."""
    for found in _IDENTITY.finditer(text):
        if _is_identity_card(text, found):
            yield Personal("identity_card", *found.span())
    for found in _CARD.finditer(text):
        if _is_bank_card(text, found):
            yield Personal("bank_card", *found.span())


def _label(text: str, start: int, end: int) -> tuple[str, str]:
    """Name the nearest label before a number, or before its list, and what stands between."""
    before = text[max(0, start - 64) : start]
    size = _size(text[start:end])
    while (listed := _LISTED.search(before)) and (
        size in (7, 8) or abs(_size(listed[0]) - size) <= 1
    ):
        before = before[: listed.start()]
    kind, end = "", 0
    for label in _LABEL.finditer(before, max(0, len(before) - 28)):
        kind, end = label.lastgroup or "", label.end()
    return kind, before[end:]


def _size(item: str) -> int:
    return sum(char.isdigit() or char == "*" for char in item)


def is_kept(text: str, found: re.Match[str], joined: str = r"[\da-z][-_]$") -> bool:
    """Tell an order, policy, waybill or model number, or an amount, from a person's number."""
    start, end = found.span()
    before = text[start - 1 : start]
    part = before.isascii() and before.isalpha()
    if part or start and re.search(joined, text[max(0, start - 2) : start]):
        if not _PHONE_LETTERS.search(text, max(0, start - 24), start):
            return True
    if before and before in "¥$" or _AMOUNT_AFTER.match(text, end):
        return True
    kind, gap = _label(text, start, end)
    if kind == "kept" and _TIGHT.match(gap):
        return True
    return kind != "phone" and bool(_KEPT_AFTER.match(text, end))


def _is_identity_card(text: str, found: re.Match[str]) -> bool:
    """Ask for a cue, the check digit of GB 11643-1999, or a district with a day of birth."""
    kind, gap = _label(text, *found.span())
    if kind == "id" and _is_near(gap):
        return True
    digits = _plain(found.group())
    if len(digits) != 18 or not "1900" <= digits[6:10] <= "2099" or is_kept(text, found):
        return False
    rest = sum(int(d) * w for d, w in zip(digits, _ID_WEIGHTS, strict=False)) % 11
    return digits[17] == "10x98765432"[rest] or bool(_BORN.match(digits))


def _is_bank_card(text: str, found: re.Match[str]) -> bool:
    """Ask for a cue, or for a known issuer's prefix (UnionPay) with Luhn's sum (all others).

    One random 18-digit number in ten passes Luhn alone.
    """
    kind, gap = _label(text, *found.span())
    if kind == "card" and _is_near(gap):
        return True
    digits = _plain(found.group())
    known = _UNION_PAY.match(digits) or (_ISSUER.match(digits) and passes_luhn(digits))
    return bool(known) and not is_kept(text, found)


def _is_mobile(text: str, found: re.Match[str]) -> bool:
    """Ask for groups that people write a mobile in, or one separator, or a telephone's label."""
    groups = re.findall(r"\d+", found.group(1))
    if tuple(map(len, groups)) not in _MOBILE_GROUPS:
        separators = set(re.findall(r"\D+", found.group(1)))
        amounts = all(_ROUND.match(group) for group in groups[:-1])
        plain = len(groups[0]) > 2 and len(separators) == 1 and not amounts
        if "," in separators or "/" in separators or not plain and not _is_telephone(text, found):
            return False
    return not is_kept(text, found)


def _is_landline(text: str, found: re.Match[str]) -> bool:
    """Ask for an area code of the numbering plan, or a telephone's label."""
    known = _AREA.match(_plain(found.group())) or _is_telephone(text, found)
    return bool(known) and not is_kept(text, found, joined=r"[\da-z][- ]$")


def _is_telephone(text: str, found: re.Match[str]) -> bool:
    return _label(text, *found.span())[0] == "phone"


def _is_local(text: str, found: re.Match[str]) -> bool:
    """Ask for a telephone's label before or after a number without an area code."""
    if _DATE.match(found.group()) or _AMOUNT_AFTER.match(text, found.end()):
        return False
    kind, gap = _label(text, *found.span())
    return (
        kind == "phone" and bool(_PHONE_GAP.match(gap))
        or bool(re.search("[转分]", found.group(1)))
        or bool(_PHONE_AFTER.match(text, found.end()))
    )  # fmt: skip


def _is_near(gap: str) -> bool:
    return len(gap) <= 14 and not re.search(r"\d{3}|[。;!?\n]", gap)


def _plain(number: str) -> str:
    return re.sub(r"[^\dx]", "", number.replace("×", "x"))


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
