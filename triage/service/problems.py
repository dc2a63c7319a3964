"""Errors as RFC 9457 problem details: a stable code for machines, a Chinese detail for people."""

from __future__ import annotations

from typing import Any

from fastapi.responses import Response
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import to_json

from triage.privacy import mask
from triage.schema import TEXT_FAULTS, TriageError

MEDIA_TYPE = "application/problem+json"

CODES: dict[str, tuple[int, str, str]] = {
    "request_invalid": (422, "请求不合格式", "请求内容不符合接口约定，请对照 /docs 检查字段"),
    "json_invalid": (400, "不是有效的 JSON", "请求体不是有效的 JSON，请检查 UTF-8 编码和标点"),
    "text_empty": (422, "内容为空", TEXT_FAULTS["text_empty"]),
    "text_too_long": (422, "内容过长", TEXT_FAULTS["text_too_long"]),
    "text_invalid": (422, "内容无效", TEXT_FAULTS["text_invalid"]),
    "body_too_large": (413, "请求过大", "请求体超过上限，请分批发送"),
    "batch_too_large": (422, "批量过大", "一次批量的条数超过上限，请分批发送"),
    "policy_invalid": (409, "策略有误", "策略文件有误，仍按原策略处理；请按 errors 逐条修改"),
    "not_found": (404, "没有这个地址", "地址不存在，请对照 /docs 检查"),
    "method_not_allowed": (405, "方法不允许", "这个地址不接受该请求方法，请对照 /docs 检查"),
    "internal": (500, "内部错误", "服务内部出错，已记入日志；请稍后重试"),
}  # fmt: skip
"""Every code with its HTTP status, title and detail."""


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


def problem_response(found: Problem) -> Response:
    """Return problem details as a response."""
    return Response(to_json(found), status_code=found.status, media_type=MEDIA_TYPE)
