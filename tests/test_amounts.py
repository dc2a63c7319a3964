import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.signals import disputed_amount, find_amounts
from triage.text import normalise


def lost(text):
    found = disputed_amount(normalise(text).text)
    return found.value if found else None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("银行卡被盗刷两万块", 20_000),
        ("中介扣了我一万二", 12_000),
        ("损失5千8，谁来赔", 5_800),
        ("重复扣款¥9,999.00", 9_999),
        ("骗了我3.5万", 35_000),
        ("被骗1.2w", 12_000),
        ("退我6800定金", 6_800),
        ("健身卡里还剩壹万贰仟元不退", 12_000),
        ("多收了三块五", 3.5),
        ("乱扣我五毛", 0.5),
        ("押金3000-5000元不等都不退", 5_000),
        ("卡里三五百块被扣没了", 500),
        ("被骗三万多", 33_000),
        ("交了八千块学费，机构跑路不给退款", 8_000),
        ("扣了二百块，后来又扣了五百块", 500),
        ("两萬三的貨款一直拖欠", 23_000),
    ],
)
def test_a_lost_or_disputed_sum_is_read(text, value):
    assert lost(text) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        "手机买来八千多，背面有道细划痕",
        "型号RTX5090的外包装盒压瘪了",
        "订单号6200018835，物流三天没更新",
        "房价两百万呢，楼上天天吵",
        "万一又坏了怎么办",
        "2026年3月15日买的",
        "楼下有三百人排队被扣在外面",
        "电池5000毫安，不耐用",
        "没有损失两万块，客服拦下了",
        "那两千块已经退了",
        "一千零一夜这本书缺页",
    ],
)
def test_a_price_a_number_and_a_settled_sum_are_none(text):
    assert lost(text) is None


def test_a_price_is_disputed_once_its_return_is_demanded():
    assert lost("花了8000块做的脸烂了") is None
    assert lost("花了8000块做的脸烂了，要求退款") == 8_000


def test_spans_point_at_the_sum():
    (amount,) = find_amounts("银行卡被盗刷两万块，请处理")
    assert (amount.start, amount.end) == (6, 9)


@given(
    st.text(alphabet="一二三两十百千万亿几多零点0123456789.,元块毛角wk-~扣退骗¥个的", max_size=30)
)
def test_any_run_of_numerals_is_read_within_its_bounds(text):
    for amount in find_amounts(text):
        assert 0 <= amount.start < amount.end <= len(text)
        assert 0 < amount.value <= 1.1e12
