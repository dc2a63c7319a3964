"use strict";

/* Names to show; whatever is not listed is shown by its id. */
const SIGNALS = {
  self_harm: "轻生风险", injury: "人身伤害", food_safety: "食品安全", fire_safety: "消防燃气", fraud: "欺诈假货",
  privacy: "信息泄露", legal: "法律", regulator: "监管投诉", media: "媒体曝光", group: "群体", repeat: "重复投诉",
  vulnerable: "弱势人群", churn: "流失", violence: "暴力", outage: "服务中断", malicious: "疑似代理维权", abuse: "辱骂",
};
const CERTAINTIES = { happened: "已发生", hazard: "隐患", threatened: "扬言" };
const GRADES = { minor: "一般", major: "较大", critical: "重大", severe: "特大" };
const EMOTIONS = { calm: "平静", annoyed: "不满", angry: "愤怒", furious: "激烈" };
const NATURES = { product: "产品质量", service: "服务质量", price: "价格", logistics: "物流", other: "其他" };
const MOODS = ["很消极", "偏消极", "平和", "偏积极", "很积极"];
const MILESTONES = {
  register: "登记", accept: "受理", first_response: "首次回应", plan: "方案或结果",
  resolve: "办结", refund: "退款", repair: "修复",
};
const DECISIONS = { auto: "可自动分派", suggest: "建议分派，待人确认", review: "须人工研判" };
const DEGRADED = { "route.default": "性质未设去向，已转默认团队", store: "存储暂不可用，恢复后补写", calendar: "节假日历未公布" };
const TIMEOUT_MS = 30000;
const CLOCK_MS = 20000;
const ZONE = "Asia/Shanghai";

const $ = (id) => document.getElementById(id);
const percent = (p) => (p > 0 && p < 0.005 ? "不到 1%" : `${Math.round(p * 100)}%`);
const name = (names, id) => names[id] ?? id;

/** Make an element; a child is a node or a text, and whatever is null or false is left out. */
function el(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children.flat().filter((child) => child != null && child !== false));
  return node;
}

function withAttributes(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

const hidden = (node) => withAttributes(node, { "aria-hidden": "true" });
const say = (words) => { $("status").textContent = words; };

function card(className, title, aside, ...children) {
  const heading = el("header", "", el("h2", "", title), aside && el("span", "hint", aside));
  return el("section", `card ${className}`, heading, ...children);
}

/** Copy the old way, which works on plain http too, where there is no clipboard interface. */
function copyText(text) {
  const area = el("textarea", "sr-only");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

function copyButton(text, label) {
  const button = withAttributes(el("button", "copy", "复制"), { type: "button", "aria-label": label });
  button.addEventListener("click", () => {
    const words = copyText(text) ? "已复制" : "请手动复制";
    button.textContent = words;
    button.focus({ preventScroll: true });
    say(words);
    setTimeout(() => { button.textContent = "复制"; }, 1800);
  });
  return button;
}

/* The answer, part by part, in the order in which it is shown. */

function headline(a) {
  const level = Object.keys(GRADES).indexOf(a.grade) + 1;
  const dots = Object.keys(GRADES).map((_, i) => el("i", i < level ? "on" : ""));
  const badge = el("div", `badge grade-${a.grade}`,
    el("span", "label", "处置等级"), el("strong", "", a.grade_name), hidden(el("span", "dots", dots)),
    el("span", "sr-only", `四级中的第 ${level} 级`));
  const fact = (term, className, content) => el("div", "", el("dt", "", term), el("dd", className, content));
  const copies = a.route.copies.map((copy) => el("span", "chip", copy));
  const facts = el("dl", "facts", fact("转给", "", el("b", "", a.route.name)), fact("接待", "", a.route.desk),
    copies.length ? fact("抄送", "chips", copies) : fact("抄送", "muted", "无"));
  const decision = el("p", `decision ${a.decision}`, hidden(el("i", "")), name(DECISIONS, a.decision));
  return withAttributes(
    el("section", "card headline", badge, el("div", "verdict", decision, facts)), { "aria-label": "结论" });
}

function feeling(a) {
  const steps = Object.entries(EMOTIONS);
  const reached = steps.findIndex(([id]) => id === a.emotion.label);
  const scale = el("ol", `steps emotion-${a.emotion.label}`, steps.map(([id, words], i) => {
    const step = el("li", i <= reached ? "on" : "", id === a.emotion.label ? a.emotion.name : words);
    return i === reached ? withAttributes(step, { "aria-current": "true" }) : step;
  }));
  const mood = MOODS[Math.min(4, Math.floor(a.sentiment * 5))];
  const pin = el("i", "pin");
  pin.style.left = `${Math.max(0, Math.min(1, a.sentiment)) * 100}%`;
  const bar = withAttributes(el("div", "mood-bar", pin), { role: "img", "aria-label": `语气${mood}` });
  const gauges = el("div", "gauges",
    el("div", "", el("h3", "", "情绪 ", el("b", "", a.emotion.name)), scale),
    el("div", "", el("h3", "", "语气 ", el("b", "", mood)), bar,
      hidden(el("p", "ends", el("span", "", MOODS[0]), el("span", "", MOODS[4])))));
  const advice = (className, title, lines) => lines.length > 0 && el("div", className,
    el("h3", "", title), el("ul", "", lines.map((line) => el("li", "", line))));
  return card("feeling", "先处理心情", null, gauges,
    el("div", "opening", el("h3", "", "第一句话可以这样说"),
      el("blockquote", "", el("p", "", a.handling.opening), copyButton(a.handling.opening, "复制第一句话"))),
    el("div", "advice", advice("do", "要做", a.handling.do), advice("dont", "不要做", a.handling.dont)));
}

/** Cut a text at every edge of a mark. Offsets count code points, which Array.from goes by. */
function cutAtEdges(text, marks) {
  const chars = Array.from(text);
  const edges = [0, chars.length, ...marks.flatMap((mark) => mark.span)];
  const cuts = [...new Set(edges)].filter((at) => at >= 0 && at <= chars.length).sort((x, y) => x - y);
  return cuts.slice(1).map((end, i) => ({
    start: cuts[i],
    end,
    text: chars.slice(cuts[i], end).join(""),
    over: marks.filter((mark) => mark.span[0] <= cuts[i] && mark.span[1] >= end),
  }));
}

/** Explanation spans with their kind and a strength of 1 to 3 beside the heaviest of the kind. */
function weighed(a) {
  return [["nature", a.nature], ["severity", a.severity]].flatMap(([kind, head]) => {
    const found = a.explanation.filter((part) => part.weight > 0 && part.toward === head.label);
    const most = Math.max(...found.map((part) => part.weight));
    return found.map((part) => ({
      kind, span: part.span, strength: Math.ceil((part.weight / most) * 3), hint: `偏向「${head.name}」`,
    }));
  });
}

const signalWords = (signal) => `${name(SIGNALS, signal.name)} · ${name(CERTAINTIES, signal.certainty)}`;

function piece({ start, end, text, over }) {
  if (!over.length) return [text];
  const signals = over.filter((mark) => mark.kind === "signal");
  const shown = signals.find((mark) => mark.certainty === "happened") || signals[0];
  const classes = ["nature", "severity"].flatMap((kind) => {
    const strength = Math.max(0, ...over.filter((mark) => mark.kind === kind).map((mark) => mark.strength));
    return strength ? [`${kind}-${strength}`] : [];
  });
  if (shown) {
    classes.push("signal", shown.certainty);
    if (shown.span[0] === start) classes.push("first");
    if (shown.span[1] === end) classes.push("last");
  }
  const node = el(shown ? "mark" : "span", classes.join(" "), text);
  node.title = [...new Set(over.map((mark) => mark.hint))].join("；");
  const ending = signals.filter((mark) => mark.span[1] === end);
  return [node, ...ending.map((mark) => el("span", `tag ${mark.certainty}`, mark.hint))];
}

function original(a) {
  const signals = a.signals.filter((signal) => signal.span).map(
    (signal) => ({ ...signal, kind: "signal", hint: signalWords(signal) }));
  const known = a.signals.filter((signal) => !signal.span);
  const weights = weighed(a);
  const text = el("p", "source", cutAtEdges(a.masked_text, [...weights, ...signals]).flatMap(piece));
  const key = (className, sample, words) => el("li", "", hidden(el("span", className, sample)), words);
  const has = (kind) => weights.some((mark) => mark.kind === kind);
  const legend = el("ul", "legend",
    signals.length > 0 && key("signal happened first last", "词", "风险信号"),
    has("nature") && key("nature-3", "词", `看出是「${a.nature.name}」`),
    has("severity") && key("severity-3", "词", `看出严重程度「${a.severity.name}」`),
    weights.length > 0 && el("li", "muted", "越浓越要紧"));
  return card("original", "原文", "个人信息已遮住", text,
    known.length > 0 && el("p", "chips", el("span", "muted", "由已知信息得出："),
      known.map((signal) => el("span", `tag ${signal.certainty}`, signalWords(signal)))),
    legend.childElementCount > 0 && legend);
}

function localTime(moment, withYear) {
  const year = (date) => date.toLocaleDateString("en-CA", { timeZone: ZONE, year: "numeric" });
  const date = new Date(moment);
  const shown = { timeZone: ZONE, month: "long", day: "numeric", weekday: "short" };
  if (withYear || year(date) !== year(new Date())) shown.year = "numeric";
  const clock = { timeZone: ZONE, hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return `${date.toLocaleDateString("zh-CN", shown)} ${date.toLocaleTimeString("zh-CN", clock)}`;
}

/** Say how long it is until a moment, or since, given the difference in milliseconds. */
function timeLeft(left) {
  const minutes = Math.floor(Math.abs(left) / 60000);
  const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24, minutes % 60];
  const parts = [days && `${days} 天`, hours && `${hours} 小时`, !days && rest && `${rest} 分`];
  return `${left < 0 ? "已超时" : "还有"} ${parts.filter(Boolean).join(" ") || "不到 1 分"}`;
}

function updateClocks() {
  for (const node of document.querySelectorAll("[data-due]")) {
    const left = Date.parse(node.dataset.due) - Date.now();
    node.textContent = timeLeft(left);
    node.classList.toggle("late", left < 0);
  }
}

function deadline(d) {
  const left = el("span", "left");
  left.dataset.due = d.due_at;
  const time = withAttributes(el("time", "", localTime(d.due_at)), { datetime: d.due_at });
  return el("li", d.binding ? "binding" : "",
    el("div", "what", el("b", "", name(MILESTONES, d.milestone)),
      d.party === "authority" && el("span", "chip", "由主管部门"),
      d.binding && el("span", "chip strong", "以此为准"), d.provisional && el("span", "chip dashed", "暂定")),
    el("div", "when", left, time), el("p", "basis", d.basis));
}

function clocks(a) {
  const sorted = [...a.deadlines].sort((x, y) => Date.parse(x.due_at) - Date.parse(y.due_at));
  return card("clocks", "时限", `${localTime(a.received_at)} 受理，北京时间`,
    sorted.length ? el("ol", "", sorted.map(deadline)) : el("p", "muted", "没有适用的时限"));
}

function bars(title, rows, chosen) {
  return el("div", "bars", el("h3", "", title), el("ul", "", rows.map(([label, words, p]) => {
    const fill = el("i", "");
    fill.style.width = `${Math.max(0, Math.min(1, p)) * 100}%`;
    return el("li", label === chosen ? "on" : "",
      el("span", "", words), hidden(el("span", "track", fill)), el("span", "number", percent(p)));
  })));
}

function grounds(a) {
  const { nature, severity } = a;
  const natures = [[nature.label, nature.name, nature.probability],
    ...nature.alternatives.map((other) => [other.label, name(NATURES, other.label), other.probability])];
  const steps = Object.entries(severity.distribution).map(
    ([label, p]) => [label, label === severity.label ? severity.name : name(GRADES, label), p]);
  return card("grounds", "判断依据", null,
    el("ul", "reasons", a.reasons.map((reason) => el("li", "", reason))),
    a.degraded.length > 0 && el("ul", "notes", a.degraded.map((code) => el("li", "", name(DEGRADED, code)))),
    el("div", "columns", bars("是什么性质", natures, nature.label), bars("有多严重", steps, severity.label)));
}

function rawJson(a) {
  const json = JSON.stringify(a, null, 2);
  return el("details", "card raw", el("summary", "", "原始结果 (JSON)"),
    copyButton(json, "复制原始结果"), withAttributes(el("pre", "", json), { tabindex: "0" }));
}

function showAnswer(a) {
  $("answer").replaceChildren(
    ...[headline(a), feeling(a), original(a), clocks(a), grounds(a), a.stored && correction(a), rawJson(a)].filter(Boolean));
  updateClocks();
  say(`研判完成：处置等级${a.grade_name}，${name(DECISIONS, a.decision)}，转给${a.route.name}，客户情绪${a.emotion.name}`);
}

function showError(title, detail) {
  const box = el("div", "error", el("h2", "", title), el("p", "", detail));
  $("answer").replaceChildren(withAttributes(box, { role: "alert" }));
  say("");
}

/* Asking the service. */

/** An error whose message is fit to be shown. */
const failure = (words, status) => Object.assign(new Error(words), { fit: true, status });

function readComplaint() {
  const complaint = { text: $("text").value };
  for (const field of document.querySelectorAll("[data-fact]")) {
    const value = field.value.trim();
    if (value) complaint[field.dataset.fact] = "number" in field.dataset ? Number(value) : value;
  }
  return complaint;
}

/** Return the JSON of an answer, or throw a failure. */
async function ask(url, options = {}) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), TIMEOUT_MS);
  try {
    const headers = { Accept: "application/json", ...options.headers, ...authorization() };
    const response = await fetch(url, { ...options, headers, signal: stop.signal });
    const body = await response.json().catch(() => null);
    if (response.ok && body) return body;
    const told = body && [body.detail, body.title].find((words) => words && typeof words === "string");
    if (response.status === 401) showKey(true);
    throw failure(told || "服务没有给出能读懂的答复，请稍后再试。", response.status);
  } catch (error) {
    if (error.fit) throw error;
    throw failure(stop.signal.aborted
      ? "等了半分钟还没有答复，请稍后再试。" : "连不上服务，请检查网络，或请管理员查看服务是否在运行。");
  } finally {
    clearTimeout(timer);
  }
}

const send = (url, content) => ask(url, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content),
});

function setBusy(busy) {
  $("submit").setAttribute("aria-disabled", String(busy));
  $("submit").textContent = busy ? "正在研判…" : "研判";
  $("answer").setAttribute("aria-busy", String(busy));
  if (busy) say("正在研判");
}

async function assess() {
  if ($("answer").getAttribute("aria-busy") === "true") return;
  setBusy(true);
  try {
    showAnswer(await send("/v1/assess", readComplaint()));
  } catch (error) {
    showError(error.status ? `没有研判成功（${error.status}）` : "没有研判成功",
      error.fit ? error.message : "这一页读不懂服务的答复，请管理员把两者更新到同一版本。");
  }
  setBusy(false);
  if (window.matchMedia("(max-width: 899px)").matches) $("result").scrollIntoView();
}

/** Put an example, a button with its words and facts, into the form. */
function fill({ dataset }) {
  const facts = new URLSearchParams(dataset.facts);
  $("text").value = dataset.text;
  for (const field of document.querySelectorAll("[data-fact]")) field.value = facts.get(field.dataset.fact) ?? "";
  countCharacters();
}

const countCharacters = () => { $("count").textContent = `${Array.from($("text").value).length} 字`; };

async function showVersions() {
  $("versions").textContent = await ask("/v1/model").then((model) => {
    const made = model.created_at ? `（${localTime(model.created_at, true)}）` : "";
    return `模型版本 ${model.model_version}${made} · 规则版本 ${model.policy_version}`;
  }, () => "版本信息暂时读不到");
}

function start() {
  const submit = () => $("form").requestSubmit();
  const examples = [...document.querySelectorAll("[data-text]")];
  $("form").addEventListener("submit", (event) => { event.preventDefault(); assess(); });
  $("text").addEventListener("input", countCharacters);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) submit();
  });
  for (const chip of examples) chip.addEventListener("click", () => { fill(chip); $("submit").focus(); });
  setInterval(updateClocks, CLOCK_MS);
  countCharacters();
  startReview();
  showVersions();
  const demo = examples[Number.parseInt(new URLSearchParams(location.search).get("demo"), 10)];
  if (demo) { fill(demo); submit(); }
}

document.addEventListener("DOMContentLoaded", start);
