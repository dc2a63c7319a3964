import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.features import prepare
from triage.privacy import MASK, find_personal, mask, passes_luhn
from triage.text import normalise

anything = st.text(
    alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from("0123456789李先生号楼京A@.")),
    max_size=60,
)


@pytest.mark.parametrize(
    ("kind", "text", "secret"),
    [
        ("mobile", "请回电13800001234谢谢", "13800001234"),
        ("mobile", "手机：138-0000-1234", "138-0000-1234"),
        ("mobile", "电话１３８００００１２３４", "１３８００００１２３４"),
        ("mobile", "+86 13900005678联系我", "+86 13900005678"),
        ("landline", "座机010-62345678转801", "010-62345678转801"),
        ("landline", "家里电话是62345678", "62345678"),
        ("identity_card", "证件11010519491231002X已上传", "11010519491231002X"),
        ("identity_card", "身份证号：110105194912310021", "110105194912310021"),
        ("bank_card", "卡6222020000000000000被扣", "6222020000000000000"),
        ("bank_card", "银行卡号6222 0200 0000 0000 123", "6222 0200 0000 0000 123"),
        ("email", "发到li.ming_01@example.com.cn吧", "li.ming_01@example.com.cn"),
        ("plate", "我的车粤B·12345被刮", "粤B·12345"),
        ("plate", "新能源车京AD12345", "京AD12345"),
        ("account", "加微信wx_user-88说", "wx_user-88"),
        ("account", "QQ：123456789", "123456789"),
        ("address", "住阳光花园3栋2单元501室", "3栋2单元501室"),
        ("address", "中山路88号门口", "88号"),
        ("name", "我叫李小明，来投诉", "李小明"),
        ("mobile", "订单联系电话13800001234", "13800001234"),
        ("mobile", "tel13800001234", "13800001234"),
        ("mobile", "138.0000.1234找我", "138.0000.1234"),
        ("name", "我叫张伟在你们店买的", "张伟"),
        ("name", "姓名：李明 性别男", "李明"),
        ("name", "本人王建国于昨天购买", "王建国"),
        ("name", "联系人：欧阳修远 电话", "欧阳修远"),
        ("name", "我姓名是王芳。", "王芳"),
        ("name", "客户张女士来电", "张"),
        ("name", "有位王建国先生反映", "王建国"),
        ("name", "旅客哈斯巴根，座位12A", "哈斯巴根"),
        ("name", "Sophie 年小姐的房卡失效", "Sophie 年"),
        ("name", "租客裴行俭半夜被赶出来", "裴行俭"),
        ("landline", "座机0471 6923 518", "0471 6923 518"),
        ("mobile", "和139 001 38 017都能打", "139 001 38 017"),
        ("address", "桂花园C3座4楼B户漏水", "C3座4楼B户"),
        ("address", "四川北路1350弄甲9号3楼", "1350弄甲9号3楼"),
    ],
)
def test_personal_data_is_masked(kind, text, secret):
    masked = mask(text)
    at = text.index(secret)
    assert masked[at : at + len(secret)] == MASK * len(secret)
    assert masked[:at] == text[:at]
    assert masked[at + len(secret) :] == text[at + len(secret) :]
    assert kind in {piece.kind for piece in find_personal(normalise(text).text)}


@pytest.mark.parametrize(
    "text",
    [
        "订单号20261122334455还没到",
        "订单号13800001234没发货",
        "工单 6222020000000000000 无人处理",
        "型号BX-20230715A，2026年3月15日购买",
        "交了12800元，分36期",
        "地铁3号线，12月5号",
        "保单号110105194912310029",
        "对于女士来说太大了",
        "王师傅来修过，李经理也来过",
        "拨打12315和4008001234",
        "随机号码123456789012345678",
        "房间8012的空调坏了",
        "取件码8-2-3012打不开",
        "住院号0026117394",
        "人才公寓一栋三十三层的楼",
        "我看见学生载着同学",
    ],
)
def test_what_is_no_personal_data_stays(text):
    assert mask(text) == text


@given(anything)
def test_masking_keeps_length_and_is_idempotent(text):
    once = mask(text)
    assert len(once) == len(text)
    assert mask(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "我叫李小明，手机13800001234，快递三天没到！！",
        "客户张女士来电，住阳光花园3栋2单元501室，暖气不热",
        "卡号6222 0200 0000 0000 000被盗刷两万",
        "我叫 张三 住在朝阳区 太贵了",
    ],
)
def test_masked_and_unmasked_text_are_read_alike(text):
    assert prepare(text).text == prepare(mask(text)).text


@pytest.mark.parametrize(("digits", "holds"), [("79927398713", True), ("79927398710", False)])
def test_luhn(digits, holds):
    assert passes_luhn(digits) is holds


def test_an_english_sentence_with_name_in_it_is_no_label():
    assert mask("b.csv is a folder: name a file in it") == "b.csv is a folder: name a file in it"
    assert mask("Name: Kevin Chen") == "Name: **********"
