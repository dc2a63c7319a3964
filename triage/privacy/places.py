"""Where a person lives and drives, and the accounts by which they are reached."""

from __future__ import annotations

import re
from collections.abc import Iterator

import ahocorasick_rs

from triage.privacy.numbers import is_kept
from triage.privacy.pieces import Personal

_PLATE = re.compile(
    r"([京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领][·."
    r" ]?[a-hj-z])[^\w\s]{0,2} ?"
    r"([a-hj-np-z\d](?:[·.-]?[a-hj-np-z\d]){3,4}[·.-]?(?:[a-hj-np-z\d](?![a-z\d])"
    r"|[挂学警港澳领使试]))"
    r"|(?<![a-z])(wj) ?[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]?[·."
    r" -]?(\d{4}[\da-z])(?![a-z\d])"
)
_EMBASSY = re.compile(r"(?:车牌?号?|牌照?号?|[: ,])(使\d{6})(?!\d)")
_PLATE_CUE = re.compile(r"(?:车|牌|驾|司机|开的|号码?)[^\d,。;!?]{0,8}$")
_NEW = re.compile(r"[的全最换台部个款更翻崭重刚买是了]$")
_ACCOUNT = re.compile(
    r"(?:微信|we ?chat|weixin|wx|vx|v信|威信|薇信|(?:支付宝|抖音|快手|小红书|微博|淘宝|旺旺"
    r"|陌陌)[账帐]?号?|(?<!\w)[+加]v)"
    r"(?:号码?|id|账号|名)?(?:就?是|为|[:+(【 ]){0,3}([a-z][a-z0-9_-]{4,19}|(?<=[:是为"
    r" 号信vx])[1-9]\d{5,11})"
    r"(?![a-z0-9_-])"
    r"|(?:q ?q|扣扣|企鹅)(?:群|号码?)*(?:就?是|为|[:+(【 ]){0,3}([1-9]\d{4,10})(?!\d)"
    r"|(?:[账帐]号|用户名|昵称|登录名|(?<![a-z])id)(?:就?是|为|[:"
    r" ]){1,2}([a-z][a-z0-9_]{4,19})(?![a-z0-9_-])"
)
_ACCOUNT_CUES = ahocorasick_rs.AhoCorasick(
    "微信 chat weixin wx vx v信 威信 薇信 支付宝 抖音 快手 小红书 微博 淘宝 旺旺 陌陌 +v 加v qq"
    " q号 q扣 扣扣 企鹅 账号 帐号 用户名 昵称"
    " 登录名 id".split()
)

_HAN_NUMERAL = "零〇一二三四五六七八九十百两"
_SMALL = rf"(?:\d{{1,4}}|[{_HAN_NUMERAL}]{{1,4}})"
_BUILDING_NO = (
    rf"(?:[甲乙丙丁附]?{_SMALL}[a-z]?|[a-z]{{1,2}}-?\d{{0,3}}|[甲乙丙丁东西南北]{_SMALL}?)"
)
_ROOM_NO = (
    rf"(?:(?:负?[a-z]?-?|[甲乙丙丁])?\d{{1,5}}[a-z]?(?:-[\da-z]{{1,4}})?|[{_HAN_NUMERAL}]{{1,6}}"
    rf"|[a-z]\d{{0,4}})"
)
_ROOM = (
    rf"{_ROOM_NO}(?:号房间?|号?室|房间?|号?铺|[东西中]?户)"
    rf"|(?:[a-z]-?)?\d{{2,5}}[a-z]?(?:-\d{{1,4}})?(?:号(?!楼"
    rf"|院))?(?![\d%年月日元块万点分折层楼度个人期只次件份单弄多余]|天(?!天|花)|\.\d)"
    rf"|\d{{1,2}}-\d{{1,2}}-\d{{1,4}}(?![\d-])|\d{{1,5}}号(?![楼院线])"
    rf"|[{_HAN_NUMERAL}]{{3,5}}号?(?![{_HAN_NUMERAL}年月日元块万点天个])"
    r"|[东西中]户|[左右]手?边?(?:[户室]|$)"
)
_INNER = (
    rf"{_BUILDING_NO}(?:号楼|号院|栋(?:楼(?![下上里前道梯]))?|幢(?:楼(?![下上里前道梯]))?"
    rf"|[座排组阁塔]|号?楼|号门|舍(?=\d)|#(?=\d))|[东西南北]楼|{_SMALL}[组队社]"
    rf"|{_SMALL}(?:单元|门栋?|梯|号梯|层|楼)|负{_SMALL}层|[甲乙丙丁东西南北a-z](?:单元|门(?=\d))"
)
_JOIN = r"(?: ?[-,·/的内]? ?)"
_PART = (
    rf"(?:[东西南北前后左右]门?\d{{2,4}}(?:[号室房户])?(?!\d)|之[\d一二三四五六七八九]|附{_SMALL}(?:-\d{{1,3}})?号?|[前后东西南北中]院|[前后东西]排{_SMALL}号|[甲乙丙丁]室?(?![\u4e00-\u9fff])|\d{{1,4}}(?:车库|铺)"
    rf"|[a-z]\d{{0,4}}[室户铺](?![a-z\d])|(?<=[楼层座])\d{{0,2}}[a-z](?![a-z\d])"
    r"|[前后]门|(?<=楼)[东西南北左右](?:[侧边户间](?=\W|$)|(?![\u4e00-\u9fff]))"
    r"|[东西南北前后左右]?(?:底商|商铺|门面|铺位|半?地下室?|[a-z]区(?=\d)|车库|阁楼|亭子间|平房|厢房|屋(?![里子顶檐后前])"
    r"|后楼|顶[楼层]|底[楼层]|前?客堂|门房)[东西南北左右]?(?:[a-z]?\d{1,4}[号室铺]?)?)"
)
_NAMED = (
    r"(?:\(?(?:(?![的了在是有说到不没与及至我你他这那就把被给让从因为和])[\u4e00-\u9fffa-z]){1,12}"
    r"?\)?)"
)
_TAIL = (
    rf"(?:{_JOIN}{_NAMED}?(?:{_INNER}))*(?:{_NAMED}(?<=[园寓府庭城厦场心楼苑座舍街])(?=[a-z]?\d{{2}}))?(?:"
    rf"{_JOIN}(?:第?{_ROOM_NO}-)*(?:{_ROOM}))?(?:{_JOIN}{_PART})*"
)
_HOUSE = (
    rf"[甲乙丙丁附]?{_SMALL}(?:[-之]\d{{1,4}})?(?:弄(?:(?:{_SMALL}|[甲乙丙丁])支弄)?(?:"
    rf" ?[甲乙丙丁]?{_SMALL}(?:-\d{{1,4}})?号(?!楼))?"
    rf"|号(?:大?院|[附增]{_SMALL}号|之[\d一二三四五六七八九]"
    rf"|-\d{{1,4}})?)"
)
_NOT_A_HOUSE = (
    r"(?![线令机车台桌窗站道柜床馆口]|出[口站]|航站|文件|公告|通知|晚|早|上午|下午|凌晨|那天|当天"
    r"|就|才|至今|停|开始|之?前|[之以]?后|起|到|去)"
)
_ADDRESS = re.compile(
    rf"(?<=[路街巷弄道同村组号社段寨屯庄湾桥坊塘里队宅])(?<![这那哪家心夜屋店院城手][里道])(?<!知道)(?"
    rf"<!报道)(?<!信号)(?<!型号)({_HOUSE}{_NOT_A_HOUSE}{_TAIL})"
    rf"|(?<![\d第.{_HAN_NUMERAL}])(?<![a-z0-9][-.])("
    rf"{_SMALL}支弄{_SMALL}号{_TAIL}|{_SMALL}(?:弄|巷)(?:(?:{_SMALL}|[甲乙丙丁])(?:支弄){_SMALL}|{_SMALL})号{_TAIL}"
    rf"|(?:{_SMALL}区)?{_SMALL}排{_SMALL}号院?{_TAIL}"
    rf"|{_SMALL}村{_SMALL}组{_SMALL}号{_TAIL}"
    rf"|{_SMALL}号?街坊(?=\d){_TAIL}"
    rf"|[甲乙丙丁]?{_SMALL}[甲乙丙丁]?号(?=\d{{1,2}}单元|\d{{3,4}}[室房户]|[甲乙丙丁a-z]座|[前后]门"
    rf"|[底顶][楼层]|之{_SMALL}\d{{3}}|大院\d)(?:之[\d一二三四五六七八九])?{_TAIL}"
    rf"|{_SMALL}舍\d{{3,4}}(?!\d)"
    rf"|(?<![a-z])[a-z]楼\d{{3,4}}(?!\d)"
    rf"|{_SMALL}[组队社]{_JOIN}{_SMALL}(?:-\d{{1,3}})?[号排户]{_TAIL}"
    rf"|{_BUILDING_NO}(?:#|#楼|舍)(?=\d+(?:单元|门|-?\d\d)){_TAIL}"
    rf"|(?:(?:{_SMALL}|[a-z东西南北中])[区期])?{_BUILDING_NO}(?:号楼|号院"
    rf"|栋(?:楼(?![下上里前道梯]))?"
    rf"|幢(?:楼(?![下上里前道梯]))?)(?!梯){_TAIL}"
    rf"|{_SMALL}单元{_TAIL}|[甲乙丙丁东西南北中]单元(?=\d){_TAIL}"
    rf"|(?:[a-z]\d?|[甲乙丙丁东西南北]|{_SMALL})[座塔阁]{_JOIN}"
    rf"(?:(?:{_SMALL}|[a-z甲乙丙丁])[单层楼梯]元?{_JOIN})?"
    rf"(?:{_ROOM}|\d{{1,2}}[a-z](?![a-z\d])|[a-z\d]{{1,3}}户)"
    rf"|负?{_SMALL}[楼层]{_JOIN}(?:[a-z]?\d{{3,5}}|[{_HAN_NUMERAL}]{{3,5}})(?:号?[室房户]"
    rf"|号)?(?![\d年月日元块万点天个])"
    rf")"
    rf"|(?<=[区园苑寓府庭湾邸院城厦场坊阁轩墅郡都谷居村里期心楼])((?:\d{{1,3}}[a-z]?[-#/]"
    rf"|[a-z][-座]?){{1,3}}\d{{2,5}}(?:号?[室房户])?|\d{{3,4}}[室房户]"
    rf"|\d{{1,3}}#(?:{_TAIL}))(?!\d|[年月%]|\.\d)"
    r"|(?<![\d.-])(\d{1,3}[a-z]?-\d{1,2}-\d{3,4})(?![\d-]|年|月)"
    r"|(?<![\da-z第])(\d{3,5}[a-z]?室)"
    rf"|(?<![{_HAN_NUMERAL}第教])([{_HAN_NUMERAL}]{{3,6}}室)"
    r"|(?<![a-z])((?:room|rm|unit|apt|flat)\.? ?[a-z]?\d{2,5}[a-z]?)(?![a-z\d])"
)
_HOUSE_MARK = re.compile(
    rf"[\da-z{_HAN_NUMERAL}甲乙丙丁东西南北][栋幢座室弄号单层楼塔阁排村巷舍区#-]|(?:rm|room|unit|apt|flat)"
)
_COUNTED = re.compile(
    rf"(?:.区)?[一两几][栋幢](?:楼|[{_HAN_NUMERAL}]+层)?|(?:.区)?[{_HAN_NUMERAL}]+[栋幢]楼"
)
_DWELLING_AFTER = re.compile("[室房户]|的?(?:业主|住户|邻居|小区)")
_ROOM_OF_THREE = re.compile(r"^(?![码号单货柜])[\u4e00-\u9fff]\d{1,2}-\d{1,2}-\d{3,4}$")
_THREE_PARTS_CUE = re.compile(
    r"(?:[住在][^,。;!?]{0,8}$|住|家|址|房|室|户|门牌|单元|小区"
    r"|[区园苑寓府庭湾邸院城厦坊阁轩墅郡都谷居村里期])[号是为:在( ]{0,4}$"
)


def find_plates(text: str) -> Iterator[Personal]:
    """Find vehicle plates of GA 36: at most two letters in the body, or the cue of a car."""
    if any(map(text.count, "0123456789")):
        for found in _PLATE.finditer(text):
            if found.group(3) or _is_plate(text, found):
                yield Personal("plate", *found.span())
        for found in _EMBASSY.finditer(text) if "使" in text else ():
            yield Personal("plate", *found.span(1))


def _is_plate(text: str, found: re.Match[str]) -> bool:
    body = re.sub(r"\W", "", found.group(2))
    letters = sum(c.isascii() and c.isalpha() for c in body)
    if len(body) == 6 and body[:2].isalpha():
        letters -= 1
    if letters == len(body) or not any(map(str.isdigit, body)):
        return False
    if _PLATE_CUE.search(text, max(0, found.start() - 14), found.start()):
        return letters <= 4
    adjective = text[found.start()] == "新" and _NEW.search(text, 0, found.start())
    return letters <= 2 and not adjective


def find_accounts(text: str) -> Iterator[Personal]:
    """Find ids of WeChat, QQ and the like after their cue."""
    if not _ACCOUNT_CUES.find_matches_as_indexes(text):
        return
    for found in _ACCOUNT.finditer(text):
        if not is_kept(text, found):
            yield Personal("account", *found.span(found.lastindex or 0))


def find_addresses(text: str) -> Iterator[Personal]:
    """Find house, building, unit and room numbers; the street and the estate stay."""
    done = 0
    for mark in _HOUSE_MARK.finditer(text):
        for at in range(max(done, mark.start() - 8), mark.start() + 1):
            if found := _ADDRESS.match(text, at):
                done = found.end()
                if _is_address(text, found):
                    yield Personal("address", at, done)
                break


def _is_address(text: str, found: re.Match[str]) -> bool:
    """Tell an address from a count (一栋楼) and from 5-2-301 that names no dwelling."""
    if found.lastindex == 4:
        return _is_three_parts(text, found)
    return not _COUNTED.fullmatch(found.group())


def _is_three_parts(text: str, found: re.Match[str]) -> bool:
    """Ask for a dwelling's cue around 5-2-301."""
    start, end = found.span()
    before = _THREE_PARTS_CUE.search(text, max(0, start - 12), start)
    return bool(
        before
        or start
        and _ROOM_OF_THREE.match(text[start - 1 : end])
        or _DWELLING_AFTER.match(text, end)
        or (text[start - 1 : start], text[end : end + 1]) == ("(", ")")
    )
