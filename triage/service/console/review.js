"use strict";

/* The key, the queue of what waits for a person, and people's corrections. */

const KEY = "triage-key";
const PAGE_SIZE = 20;
let policy = null;

function authorization() {
  const key = sessionStorage.getItem(KEY);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

function showKey(shown) {
  $("key-form").hidden = !shown;
  $("key-toggle").setAttribute("aria-expanded", String(shown));
  if (shown) $("key").focus();
}

function useKey(event) {
  event.preventDefault();
  const key = $("key").value.trim();
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
  $("key").value = "";
  showKey(false);
  showVersions();
}

/** The first clock of the company that binds, for a line of the queue. */
function firstClock(a) {
  const open = a.deadlines.filter((d) => d.binding && d.party === "company" && d.milestone === "first_response");
  return open.length ? open[0].due_at : null;
}

function queueItem(a) {
  const due = firstClock(a);
  const left = el("span", "left");
  if (due) left.dataset.due = due;
  const button = withAttributes(el("button", "waiting",
    el("span", `step grade-${a.grade}`, a.grade_name), el("span", "words", a.masked_text),
    el("span", "muted", `${a.decision === "review" ? "须研判" : "待确认"} · ${a.nature.name} · ${a.route.name}`), left), { type: "button" });
  button.addEventListener("click", () => { showAnswer(a); $("result").scrollIntoView(); });
  return el("li", "", button);
}

async function showQueue(after) {
  const query = new URLSearchParams({ limit: PAGE_SIZE, ...(after ? { after } : {}) });
  try {
    const page = await ask(`/v1/review?${query}`);
    const more = page.next && withAttributes(el("button", "copy", "下一页"), { type: "button" });
    if (more) more.addEventListener("click", () => showQueue(page.next));
    $("answer").replaceChildren(card("queue", "待人处理", "先重后轻，先急后缓",
      page.items.length ? el("ol", "", page.items.map(queueItem)) : el("p", "muted", "没有等着人处理的投诉"),
      more));
    updateClocks();
    say(`待人处理，本页 ${page.items.length} 条`);
  } catch (error) {
    showError("读不到待人处理的投诉", error.fit ? error.message : "这一页读不懂服务的答复。");
  }
  if (window.matchMedia("(max-width: 899px)").matches) $("result").scrollIntoView();
}

/* One correction: what is chosen as it stands confirms it. */

function choice(head, words, chosen, options) {
  const select = withAttributes(el("select", ""), { id: `right-${head}`, "data-head": head });
  for (const [value, shown] of Object.entries({ ...(chosen in options ? {} : { [chosen]: chosen }), ...options })) {
    select.append(new Option(shown, value, false, value === chosen));
  }
  return el("div", "field", withAttributes(el("label", "", words), { for: select.id }), select);
}

function noted(id, words, limit, className) {
  const input = withAttributes(el("input", ""), { id, maxlength: limit });
  return el("div", `field ${className}`, withAttributes(el("label", "", words), { for: id }), input);
}

function correction(a) {
  const form = withAttributes(el("form", "correct"), { method: "post", autocomplete: "off" });
  const fill = () => {
    const teams = Object.fromEntries(
      [...Object.values(policy.routes), policy.default_route].map(({ team, name: shown }) => [team, shown]));
    const done = withAttributes(el("p", "hint"), { role: "status" });
    form.replaceChildren(
      el("fieldset", "", choice("nature", "性质", a.nature.label, policy.natures),
        choice("severity", "严重程度", a.severity.label, policy.grades),
        choice("emotion", "情绪", a.emotion.label, policy.emotions),
        choice("grade", "处置等级", a.grade, policy.grades),
        choice("route", "转给", a.route.team, teams), noted("right-by", "更正人", 200, ""),
        noted("right-why", "原因", 2000, "wide")),
      el("div", "actions", withAttributes(el("button", "primary", "提交"), { type: "submit" }), done));
    form.addEventListener("submit", (event) => { event.preventDefault(); correct(a, form, done); });
  };
  const ready = policy ? Promise.resolve(policy) : ask("/v1/policy").then((found) => { policy = found; });
  ready.then(fill, () => form.replaceChildren(el("p", "muted", "读不到策略，暂时不能更正")));
  return card("correction", "人工更正", "不改就提交，表示确认无误", form);
}

async function correct(a, form, done) {
  const said = { id: a.id };
  for (const select of form.querySelectorAll("[data-head]")) said[select.dataset.head] = select.value;
  for (const [id, field] of [["right-by", "by"], ["right-why", "why"]]) {
    if ($(id).value.trim()) said[field] = $(id).value.trim();
  }
  try {
    const { added } = await send("/v1/feedback", said);
    done.textContent = added ? "已记下，不再出现在待处理里" : "以前已经记过，没有变化";
  } catch (error) {
    done.textContent = error.fit ? error.message : "没有记下，请再试一次";
  }
}

function startReview() {
  $("key-form").addEventListener("submit", useKey);
  $("key-toggle").addEventListener("click", () => showKey($("key-form").hidden));
  $("queue").addEventListener("click", () => showQueue(null));
  if (location.hash === "#review") showQueue(null);
}
