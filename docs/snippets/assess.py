"""Send a complaint; the complaint's own id makes it safe to send it again."""

import json
import os
import time
import urllib.error
import urllib.request

URL = os.environ.get("TRIAGE_URL", "http://127.0.0.1:8000")


def assess(complaint: dict, tries: int = 4) -> dict:
    """Return the assessment."""
    headers = {
        "Content-Type": "application/json",
        "Authorization": "Bearer " + os.environ.get("TRIAGE_KEY", ""),
    }
    request = urllib.request.Request(URL + "/v1/assess", json.dumps(complaint).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        problem, wait = json.load(refused), refused.headers.get("Retry-After")
        if tries == 1 or wait is None:
            raise RuntimeError(f"{problem['code']}: {problem['detail']}") from None
    except OSError:
        if tries == 1:
            raise
        wait = 1
    time.sleep(int(wait))
    return assess(complaint, tries - 1)


one = assess({"id": "工单-002", "text": "快递把冰箱摔坏了，客服一直不理，再不处理我就打12315"})
print(one["grade_name"], one["route"]["name"], one["stored"])  # noqa: T201
