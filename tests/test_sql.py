"""Past tickets from a database, read only, without showing a password."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.data import load_tickets, read_sql
from triage.data.sql import shown_url
from triage.schema import DataError, UsageError


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "crm.db"
    with sqlite3.connect(path) as made:
        made.execute("create table 工单 (编号 integer, 投诉内容 text, 投诉类型 text)")
        rows = [(1, "快递丢了", "物流"), (2, "态度差，100%不满意", "服务"), (3, None, "服务")]
        made.executemany("insert into 工单 values (?, ?, ?)", rows)
    made.close()
    return f"sqlite:///{path}"


@pytest.mark.parametrize("query", [None, "工单", "main.工单", "SELECT * FROM 工单;",
                                   "with t as (select * from 工单) select * from t"])  # fmt: skip
def test_a_table_or_query_is_read(database, query):
    tickets = load_tickets(database, query=query)
    assert tickets.frame[["row", "text", "nature"]].values.tolist() == [
        [1, "快递丢了", "物流"], [2, "态度差，100%不满意", "服务"]
    ]  # fmt: skip
    assert tickets.quarantine["row"].tolist() == [3]


def test_a_percent_sign_in_a_query_is_a_percent_sign(database):
    assert len(read_sql(database, "select * from 工单 where 投诉内容 like '%100%'")) == 1


def test_reading_tells_how_many_rows_came(database):
    steps = []
    read_sql(database, "工单", steps.append)
    assert sum(steps) == 3


@pytest.mark.parametrize(
    ("query", "error", "message"),
    [
        ("delete from 工单", UsageError, "must be a SELECT or the name of a table"),
        ("nope", UsageError, "has no table nope: it has 工单"),
        ("select nope from 工单", DataError, "no such column: nope. Check the address"),
        ("select * from 工单 where 1=0", DataError, "the query answers no rows"),
    ],
)
def test_a_wrong_query_says_what_to_do(database, query, error, message):
    with pytest.raises(error, match=message):
        read_sql(database, query)


def test_a_database_of_several_tables_asks_which(database, tmp_path):
    with sqlite3.connect(tmp_path / "crm.db") as made:
        made.execute("create table 客户 (姓名 text)")
    made.close()
    with pytest.raises(UsageError, match="with --query; the database has 客户, 工单"):
        read_sql(database)


def test_a_query_can_not_write(database):
    with pytest.raises(DataError, match="readonly|read-only|attempt to write"):
        read_sql(database, "with t as (select 1) insert into 工单 select 9, 'x', 'y' from t")
    assert len(read_sql(database, "工单")) == 3


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        ("sqlite:////nowhere/crm.db", UsageError, "/nowhere/crm.db does not exist"),
        ("foo://crm:geheim@h/d", UsageError, "this kind of database is not known"),
        ("oracle+nope://crm:geheim@h/d", UsageError, "is not known"),
        ("mysql+mysqldb://crm:geheim@h/d", UsageError, "pip install 'pymysql' and write mysql://"),
        ("postgresql://crm:geheim@h:port/d", UsageError, "is no database URL"),
    ],
)
def test_a_url_that_can_not_be_opened_says_why_without_its_password(url, error, message):
    with pytest.raises(error, match=message) as caught:
        read_sql(url, "t")
    assert "geheim" not in str(caught.value)


@given(st.text(st.characters(codec="utf-8", exclude_characters="@"), min_size=3))
def test_a_shown_url_never_holds_the_password(secret):
    shown = shown_url(f"postgresql://crm:{secret}@10.0.0.5:5432/desk?sslmode=require")
    assert shown == "postgresql://crm:***@10.0.0.5:5432/desk"


def test_a_query_goes_with_a_url_only(tmp_path):
    (tmp_path / "a.csv").write_text("投诉内容\n坏了\n", "utf-8")
    with pytest.raises(UsageError, match="--query goes with a database's URL"):
        load_tickets(tmp_path / "a.csv", query="工单")
