"""Errors as RFC 9457 problem details: a stable code for machines, a Chinese detail for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import to_json
from starlette.types import Receive, Scope, Send

from triage.privacy import mask
from triage.schema import TEXT_FAULTS, TriageError

MEDIA_TYPE = "application/problem+json"

CODES: dict[str, tuple[int, str, str]] = {
    "json_invalid": (400, "不是有效的 JSON", "请求体不是有效的 JSON，请检查 UTF-8 编码和标点"),
    "key_needed": (401, "需要密钥", "请在 Authorization 头里写 Bearer 和一个有效的密钥"),
    "scope_missing": (403, "权限不足", "这个密钥没有该操作的权限，请用权限足够的密钥"),
    "host_refused": (403, "地址不允许", "没有密钥时只接受本机访问，请先用 triage keys add 建密钥"),
    "not_found": (404, "没有这个地址", "地址不存在，请对照 /docs 检查"),
    "assessment_unknown": (404, "没有这条研判", "没有这个编号的研判，请检查编号，或它已过保存期"),
    "method_not_allowed": (405, "方法不允许", "这个地址不接受该请求方法，请对照 /docs 检查"),
    "id_conflict": (409, "编号已被占用", "这个编号已用于另一段内容，请换一个编号"),
    "policy_invalid": (409, "策略有误", "策略文件有误，仍按原策略处理；请按 errors 逐条修改"),
    "model_invalid": (409, "模型有误", "新模型不能用，仍用原模型处理；请按 errors 处理后重新启用"),
    "body_too_large": (413, "请求过大", "请求体超过上限，请分批发送"),
    "media_type": (415, "请求格式不对", "请用 Content-Type: application/json 发送 JSON"),
    "request_invalid": (422, "请求不合格式", "请求内容不符合接口约定，请对照 /docs 检查字段"),
    "text_empty": (422, "内容为空", TEXT_FAULTS["text_empty"]),
    "text_too_long": (422, "内容过长", TEXT_FAULTS["text_too_long"]),
    "text_invalid": (422, "内容无效", TEXT_FAULTS["text_invalid"]),
    "batch_too_large": (422, "批量过大", "一次批量的条数超过上限，请分批发送"),
    "cursor_invalid": (422, "分页标记无效", "after 须是上一页答复里的 next；不带它从头开始"),
    "rate_limited": (429, "请求太频繁", "这个密钥的请求超过每分钟上限，请按 Retry-After 稍后再发"),
    "internal": (500, "内部错误", "服务内部出错，已记入日志；请稍后重试"),
    "busy": (503, "服务繁忙", "同时处理的请求已到上限，请按 Retry-After 稍后再发"),
    "time_budget": (503, "等候超时", "排队太久，没有开始处理，请按 Retry-After 稍后再发"),
    "store_down": (503, "存储不可用", "存储暂时不可用，研判不受影响，请按 Retry-After 稍后再查"),
    "store_off": (503, "没有开启存储", "服务以 --no-store 启动，无法查询和更正；请去掉它重启"),
}  # fmt: skip
"""Every code with its HTTP status, title and detail; docs/problems.md says cause and cure."""

RETRY_AFTER = {"busy": 1, "time_budget": 1, "store_down": 5, "rate_limited": 1}
"""Seconds after which a request may be sent again, by code."""


class FieldFault(BaseModel):
    """One field that breaks the contract; its value is not repeated."""

    field: str = Field(description="Where it stands, such as `body.amount`.")
    message: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """Problem details by RFC 9457."""

    type: str = Field(
        description="A reference for the code.",
        examples=["urn:complaint-triage:problem:text_empty"],
    )
    title: str = Field(description="The kind of problem, in Chinese.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What to do, in Chinese.")
    code: str = Field(description=f"A stable code: {', '.join(CODES)}.")
    errors: list[FieldFault] = Field(default_factory=list, description="The fields at fault.")


def problem(code: str, errors: list[FieldFault] | None = None) -> Problem:
    """Build problem details for a code; an unknown code is `internal`."""
    code = code if code in CODES else "internal"
    status, title, detail = CODES[code]
    return Problem(
        type=f"urn:complaint-triage:problem:{code}",
        title=title,
        status=status,
        detail=detail,
        code=code,
        errors=errors or [],
    )


def problem_of(error: Exception) -> Problem:
    """Build problem details for an error."""
    if isinstance(error, ValidationError):
        return problem("request_invalid", field_faults(error.errors(), ()))
    if isinstance(error, TriageError):
        return problem(error.code)
    return problem("internal")


def field_faults(errors: Any, prefix: tuple[str, ...]) -> list[FieldFault]:
    """List the fields at fault without their values, which may hold personal data."""
    return [FieldFault(field=_field(fault, prefix), message=fault["msg"]) for fault in errors]


def config_faults(error: TriageError) -> list[FieldFault]:
    """List the faults of a configuration file, a line of the message each."""
    found = []
    for line in str(error).splitlines():
        where, sign, message = line.partition(": ")
        found.append(FieldFault(field=where if sign else "", message=mask(message or line)))
    return found


def _field(fault: Any, prefix: tuple[str, ...]) -> str:
    """Return where a fault stands; the name of an unknown field is masked and cut."""
    *where, last = (*prefix, *map(str, fault["loc"])) or ("",)
    if fault["type"] == "extra_forbidden":
        last = mask(last)[:40]
    return ".".join((*where, last))


class Refusal(Exception):
    """What a route answers instead of its result.

    Parameters
    ----------
    found : Problem or str
        The problem, or its code.
    headers : mapping, optional
        Headers of the answer.
    """

    def __init__(self, found: Problem | str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.problem = problem(found) if isinstance(found, str) else found
        self.headers = headers


class ProblemResponse(Response):
    """Problem details as a response, which says when to try again.

    Parameters
    ----------
    found : Problem
    headers : mapping, optional
        Further headers.
    """

    media_type = MEDIA_TYPE

    def __init__(self, found: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(to_json(found), status_code=found.status)
        self.code = found.code
        if found.code in RETRY_AFTER:
            self.headers["Retry-After"] = str(RETRY_AFTER[found.code])
        if found.status == 401:
            self.headers["WWW-Authenticate"] = "Bearer"
        self.headers.update(headers or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer, and leave its code where the log finds it."""
        scope.setdefault("state", {})["code"] = self.code
        await super().__call__(scope, receive, send)
