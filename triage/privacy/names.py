"""Names of persons where a cue announces them: 姓名 联系人 我叫 before, 先生 女士 behind.

A label with a colon takes whatever stands there as a name; a bare label asks for a surname; a
loose cue (我是, 本人, 客户) asks for a surname and characters that people give to children, and
for no word of the language. Staff in office (王师傅, 李经理) are masked after a label only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import ahocorasick_rs

from triage.privacy.pieces import Personal
from triage.privacy.words import (
    COMPOUND,
    FOREIGN,
    FOREIGN_PAIRS,
    GIVEN,
    NOT_NAMES,
    STRONG,
    SURNAMES,
    WORDS,
)  # fmt: skip

_PARTICLES = frozenset(
    "的了说称讲道吗呢吧啊呀哦嘛么们你我他她它您这那哪谁没不很太被把让给到过着等请就都也还再又才只"
    "但在是手性姓号怎什些每各某位"
)
_NEVER = _PARTICLES | set("住电身打昨收欠买卖吃拿找问催退换修坏交缴办拨投告骂款费订购")
_SOFT = frozenset(
    "来今于联与和及想要有去因家从向现曾已年为系先女男小老地同报前月日生元本点会能做对跟用卡户车单"
    "上下一二三四五六七八九十"
)
_AFTER = re.compile(
    r"投诉|反[映应]|要求|购买|表示|来[电信函]|认为|发现|希望|申请|报[修案]|举报|咨询|联系|地址"
    r"|年龄|于\d|明天|今[天年早晚]|前[天日]|上[周月午]|下[单周午]"
    r"|去年|已经|一直|现[在居]|目前|因为|由于|家住|向[贵你您]|通过|使用|预[订约定]|签[收字约]"
    r"|支付|快递|单号|工号|女士|先生|小姐|同学|太太|本人"
    r"|夫[妇人]|父子|一家|[两二三]人|名下|之[前后]|代[收办]|所[有在]|提[出供]|强烈|多次"
    r"|第[一二三]|特此|[敬谨拜]上|留言|质问|诉[求称]|入住|乘坐|搭乘|驾驶"
    r"|租[住赁]|承租|参保|就[诊]|看病|家[属长里]|妻子|丈夫|儿子|女儿|[母父]亲|妈妈|爸爸|爱人"
    r"|老[婆公师]|业主|客户|会员|用户|顾客|学[员生]|师傅|经理"
    r"|主任|医生|阿姨|[叔哥姐]|编号|账[号户]|卡号|银行|车牌|邮编|备注|日期|时间|敬启|此致|汉族"
    r"|回族|生日|出[生院]|户籍|籍贯|职业|单位|公司|部门|系[我你贵您统]"
    r"|证[件号]|身份|手机|电话|微信|邮箱|护照"
    r"|男[,;:. ]|女[,;:. ]|元月|有限|同志|同事|有关|对[你贵此]|和[我你他她家]|与[我你贵]"
)
_OFFICE = re.compile(
    r"师傅|经理|老板|大[爷妈娘婶伯]|奶奶|爷爷|总|医生|老师|主任|阿姨|叔|哥|姐|警官|律师|队长"
    r"|工(?![\u4e00-\u9fff])|[局科校处厅所站]长|书记"
    r"|大夫|护士|店长|组长|先生|女士|小姐|太太|同学"
)
_PLAIN = (
    "姓名",
    "联系人",
    "件人",
    "货人",
    "户主",
    "保人",
    "险人",
    "患者",
    "机主",
    "法人",
    "经办人",
    "户名",
    "名字",
)
_CUES = [(word, kind) for kind, words in WORDS.items() for word in words.split()]
_KINDS = [kind for _, kind in _CUES]
_AUTOMATON = ahocorasick_rs.AhoCorasick(
    [word for word, _ in _CUES], matchkind=ahocorasick_rs.MatchKind.LeftmostLongest
)
_FORM = re.compile(
    r"(?:的?(?:姓名|名字|名称|信息|代表|本人)|[及和与或/、]? ?(?:联系)?(?:电话|手机号?码?|方式"
    r"|号码|地址)|[及和与/、](?=[:=])"
    r"|\([^()\d*]{1,8}\)){0,4}(?: ?(?P<sign>[:=\]】]+|是|就是|为|叫做?|系|名叫)|"
    r" *[-_—]{1,2})?[\s:\[【(\"'<_]{0,3}"
)
_HAN = "\u4e00-\u9fff"
_DOT = "[·•・‧∙⋅.]"
_DOTTED = re.compile(
    rf"[{_HAN}]{{1,8}}(?: ?{_DOT} ?(?:(?!{_AFTER.pattern})[{_HAN}])"
    rf"(?:(?!{_AFTER.pattern}|[的了说称是在我你把让])[{_HAN}]){{0,7}})+"
)
_LATIN_WORD = (
    r"(?!(?:tel|phone|mobile|wechat|vx|wx|qq|email|id|no|app|vip|svip|name|plus|ok|hi|hello|dear"
    r"|rmb|iphone)(?![a-z]))[a-z][a-z'-]*(?![a-z\d@_])\.?"
)
_LATIN = re.compile(rf"{_LATIN_WORD}(?: {_LATIN_WORD}){{0,3}}")
_BESIDE = re.compile(rf" ?\({_LATIN.pattern}\)| {_LATIN.pattern}(?![\w@])|{_LATIN_WORD}(?![\w@ ])")
_HAN_BESIDE = re.compile(
    rf" ?\([{_HAN}]{{2,4}}\)| ?[{SURNAMES}](?:[{_HAN}]{{0,2}}(?![{_HAN}])"
    rf"|(?={_AFTER.pattern}|电话|手机|证件|身份))"
)
_LATIN_END = re.compile(r" ?(?:[,;。)]|$)")
_FAMILY = re.compile(rf"{COMPOUND}|[{SURNAMES}]")
_STOP = rf"(?=[^{_HAN}]|$|证[件号]|身份|手机|电话|[住地]址|性别|于\d)"
_WHOLE = re.compile(rf"[{_HAN}]{{2,5}}?{_STOP}")
_ALONE = re.compile(rf"[{_HAN}]{{2,3}}?{_STOP}")
_TWO = re.compile(
    rf"(?![{SURNAMES}{''.join(sorted(_NEVER | _SOFT))}])[{_HAN}]"
    rf"(?![{''.join(sorted(_NEVER | _SOFT))}])[{_HAN}](?:[^{_HAN}]|$|{_AFTER.pattern})"
)
_FOREIGN = re.compile(
    rf"(?!哈哈)(?:(?:{FOREIGN_PAIRS}|[{FOREIGN}]){{3,8}}?|(?:{FOREIGN_PAIRS}){{1,2}})"
    rf"(?:{_STOP}|(?=[在于称说诉因被来反的])"
    r"|(?<=古丽|卓玛|央金|次仁|高娃|其格|多吉|顿珠|平措|尼玛|旺堆))"
)
_NOBODY = re.compile(
    r"免贵|贵?姓|全体|门卫|保安|前台|快递|驿站|邻居|同上|家[父母人]|本人|无|不详|匿名|业主|客服"
    r"|见|电话|未|没|暂|如|已|自己|我"
    r"|[他她你您]|先生|女士|小姐|待|保密|不[便愿]|隐|某|\*|地址|手机|身份|联系|物业|公司|[男女]$"
)
_NEXT = re.compile(r" ?(?:\([^()\d]{1,6}\))?(?: ?[、/,和与及跟&或;] ?|还有|以及)")
_BOUND = re.compile(rf"[^{_HAN}]|$")
_FREE = re.compile(
    rf"(?:^|[^{_HAN}]|[户人主客叫是找位和由为给跟与被员者车事姓像致属请及的了有说帮])$"
)
_MOBILE_START = re.compile(r"1[3-9]\d")
_BESIDE_MOBILE = re.compile(
    rf"(?:^|(?<=[^\w,]|[到给寄]))((?:{COMPOUND}"
    rf"|[{SURNAMES}])(?:(?![{''.join(sorted(_NEVER))}])[{_HAN}]){{1,2}})"
    r"[ ,:/]{0,2}(?=\(?1[3-9]\d[ -]?\d{4})"
)
_PLACE = re.compile("[镇乡村县市区苑湾路街屯]")
_GOES_ON = re.compile(
    rf"[^{_HAN}]|$|[{''.join(sorted(_NEVER))}于从来去向现因家与和及想要有系]|{_AFTER.pattern}"
)
_ANNOUNCED = re.compile(
    rf"(?:^|[^{_HAN}]|客户|业主|用户|车主|乘客|顾客|旅客|会员|住户|家长|[位叫姓是找民员人])$"
)
_AMBIGUOUS = frozenset(
    "向于全单白高后时应关当相常边元石东古海水方广步计区官代信占强展初利越班连成满和花"
)
_PREPOSITION = frozenset("对关由至属在终售导一")
_CLIENT = re.compile(
    rf"(?:客户|业主|用户|车主|乘客|患者|家长|顾客|旅客|会员|储户|住户|租户|户主|老人|市民|村民|居民|游客"
    rf"|学生|新郎|新娘|件人|货人|[母父]亲|妈妈|爸爸|我[妈爸弟哥姐妹]|奶奶|爷爷)([{_HAN}]{{2,4}})$"
)
_BY_ITSELF = re.compile(rf"(?:^|[^{_HAN}])([{_HAN}]{{1,4}})$")
_NO_PERSON = frozenset(
    "位老各请问好而因所以后当帮亲敬谢感抱歉和与还先女男大小为于从时候让多果然么果吗吧如"
)
_LETTER = re.compile("[a-z]")
_LATIN_BEFORE = re.compile(
    rf"(?<![a-z\d]){_LATIN.pattern}(?: ?[{SURNAMES}]"
    rf"|(?! [{''.join(sorted(_NEVER | _NO_PERSON))}]) [{_HAN}])? ?$"
)
_DOTTED_BEFORE = re.compile(
    rf"(?<![{_HAN}])(?:[{_HAN}]*(?:客户|业主|用户|车主|乘客|患者|顾客|旅客|会员"
    rf"|[位叫是]))?([{_HAN}]{{1,8}}(?:{_DOT}[{_HAN}]{{1,8}})+)$"
)


def find_names(text: str) -> Iterator[Personal]:
    """Find the names that a label, a turn of phrase or a title announces."""
    for index, start, end in _AUTOMATON.find_matches_as_indexes(text):
        kind = _KINDS[index]
        if kind == "title":
            begin = _before_title(text, start)
            if begin < start:
                yield Personal("name", begin, start)
        elif kind != "none":
            yield from _behind_cue(text, end, kind)
    if _MOBILE_START.search(text):
        for found in _BESIDE_MOBILE.finditer(text):
            if not NOT_NAMES.match(found[1]) and not GIVEN.isdisjoint(found[1][1:]):
                yield Personal("name", *found.span(1))


def _behind_cue(text: str, at: int, kind: str) -> Iterator[Personal]:
    """Find the name that follows a cue, and the others of its list."""
    form = _FORM.match(text, at)
    sign = form and form["sign"]
    if text[at - 1].isascii() and not sign:  # name a file: a word of English, no label
        return
    sure = int(kind == "called" or kind == "label" and (bool(sign) or text.endswith(_PLAIN, 0, at)))
    at = form.end() if form else at
    if sign and sign[0] in ":=]】" and kind in ("label", "client"):
        sure = 2 if kind == "label" else 1
    elif sign and "叫" in sign or _announces(text, at, kind) and _ALONE.match(text, at):
        sure = max(sure, 1)
    elif kind in ("client", "label") and text.startswith(STRONG, at):
        sure = max(sure, 1)
    if kind == "surname":
        family = _FAMILY.match(text, at)
        if family and (_BOUND.match(text, family.end()) or text[family.end()] in _NEVER):
            yield Personal("name", *family.span())
        return
    alone = (kind == "client" or not sure) and not _FOREIGN.match(text, at)
    office = kind == "label" or kind == "loose" and text.endswith("我是", 0, at)
    while end := _name_end(text, at, sure, office):
        if alone and not _GOES_ON.match(text, end) and not _usual(text[at + 1 : end], kind):
            return
        yield Personal("name", at, end)
        joiner = _NEXT.match(text, end)
        if not joiner or kind != "label":
            return
        at, sure, alone = joiner.end(), int(joiner.group()[0] in "、/"), True


def _announces(text: str, at: int, kind: str) -> bool:
    """Tell whether a cue is followed by a name, and hardly by anything else, before a mark."""
    return kind == "label" or kind == "loose" and text.endswith("本人", 0, at)


def _usual(given: str, kind: str) -> bool:
    """Tell whether two characters that people give to children follow a label."""
    return kind in ("label", "client") and len(given) == 2 and GIVEN.issuperset(given)


def _name_end(text: str, at: int, sure: int, office: bool) -> int:
    """Return where the name that starts at a place ends; 0 where there is none."""
    if _NOBODY.match(text, at):
        return 0
    if dotted := _DOTTED.match(text, at):
        return dotted.end()
    if latin := _LATIN.match(text, at):
        beside = _HAN_BESIDE.match(text, latin.end())
        if sure or beside or office and _LATIN_END.match(text, latin.end()):
            return beside.end() if beside else latin.end()
    if foreign := _FOREIGN.match(text, at):
        return foreign.end()
    family = _FAMILY.match(text, at)
    if not family:
        return _without_family(text, at, sure)
    if sure < 2 and NOT_NAMES.match(text, at):
        return 0
    end = _given_end(text, family.end(), max(sure, family.end() - at - 1))
    if sure < 2 and (_PLACE.match(text, end) or _PLACE.match(text, end - 1)):
        return 0
    if end == family.end():
        if sure and (latin := _LATIN.match(text, end)):
            return latin.end()
        return end if office and _OFFICE.match(text, end) else 0
    whole = sure == 2 and _WHOLE.match(text, at)
    if whole and not _AFTER.search(text, end, whole.end()) and _NEVER.isdisjoint(whole.group()):
        end = whole.end()
    beside = _BESIDE.match(text, end) if sure else None
    return beside.end() if beside else end


def _without_family(text: str, at: int, sure: int) -> int:
    """Return where a name that starts with no surname ends: all up to a mark; 0 where none."""
    whole = (_WHOLE if sure == 2 else _ALONE).match(text, at) if sure else None
    if not whole or not _NEVER.isdisjoint(whole.group()) or _AFTER.search(whole.group()):
        return 0
    usual = text.endswith(_PLAIN, 0, at) and GIVEN.issuperset(whole.group())
    return whole.end() if sure == 2 or usual else 0


def _given_end(text: str, at: int, sure: int) -> int:
    """Return where the given name of one or two characters ends; `at` where there is none."""
    never = _PARTICLES if sure == 2 else _NEVER
    if _BOUND.match(text, at) or text[at] in never or _AFTER.match(text, at):
        return at
    if not sure and text[at] not in GIVEN and text[at] != text[at - 1]:
        return at + 2 if _TWO.match(text, at) and text[at + 1] in GIVEN else at
    if _OFFICE.match(text, at):
        return at
    if _BOUND.match(text, at + 1) or text[at + 1] in _NEVER or _AFTER.match(text, at + 1):
        return at + 1
    last = bool(_BOUND.match(text, at + 2) or _AFTER.match(text, at + 2))
    usual = text[at + 1] in GIVEN or text[at + 2 : at + 3] in _NEVER
    return at + 2 if last or (usual and text[at + 1] not in _SOFT) else at + 1


def _before_title(text: str, at: int) -> int:
    """Return where the name before a title starts; `at` where there is none."""
    left = text[max(0, at - 24) : at]
    latin = _LETTER.search(left, max(0, len(left) - 4)) and _LATIN_BEFORE.search(left)
    if found := latin or _DOTTED_BEFORE.search(left):
        return at - len(left) + found.start(found.lastindex or 0)
    for length in (4, 3, 2):
        if _is_full_name(left[-length:], left[:-length]) and len(left) >= length:
            return at - length
    if (
        (found := _CLIENT.search(left))
        and (_NEVER.isdisjoint(found[1]) or _has_family(found[1]))
        and not _AFTER.match(found[1])
        and found[1][0] not in "年老男女小大一载带陪"
    ):
        return at - len(found[1])
    found = _BY_ITSELF.search(left) if text.startswith(("先生", "女士"), at) else None
    if found and _is_person(found[1]):
        return at - len(found[1])
    family = left[-1:]
    if not family or family not in SURNAMES or left[-2:-1] in _PREPOSITION:
        return at
    return at - 1 if family not in _AMBIGUOUS or _ANNOUNCED.search(left[:-1]) else at


def _has_family(name: str) -> bool:
    """Tell whether two or three characters start with a surname that is no common word."""
    return len(name) < 4 and name[0] in SURNAMES and name[0] not in _AMBIGUOUS


def _is_person(name: str) -> bool:
    """Tell whether all that stands between a mark and a title may be a name."""
    letters = _NEVER | _NO_PERSON
    if name == "过" or _FOREIGN.match(name):
        return True
    if (
        len(name) > 1
        and not _FAMILY.match(name)
        and not (GIVEN.issuperset(name) and len(name) == 2)
    ):
        return False
    return letters.isdisjoint(name) and not NOT_NAMES.match(name) and not _AFTER.match(name)


def _is_full_name(name: str, before: str) -> bool:
    """Tell whether a surname and one or two characters stand free before a title.

    Behind a word (司员工朱琳女士) all of them must be characters that people give to children.
    """
    family = _FAMILY.match(name)
    if not family or NOT_NAMES.match(name):
        return False
    given = name[family.end() :]
    if not _FREE.search(before) and not (given and GIVEN.issuperset(given)):
        return False
    return (
        len(given) <= 2
        and _NEVER.isdisjoint(given)
        and (not given and len(name) == 2 or not GIVEN.isdisjoint(given))
    )
