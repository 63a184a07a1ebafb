// The page: which job is open, what is looked for, keys, colours, and a run that still goes on.

const live = document.documentElement.hasAttribute("data-live");
let data = JSON.parse(byId("data").textContent);
const state = { job: null, tab: "log", attempt: -1, wanted: "", chips: new Set() };
const view = new LogView();
const tabs = ["log", "why", "variables", "yaml", "pod"];
let loaded = null;

const chip_of = job => look(job.status, job.allowed);
const fits = job => {
  const text = (job.name + " " + data.stages[job.stage]).toLowerCase();
  return (!state.chips.size || state.chips.has(chip_of(job))) && state.wanted.toLowerCase().split(/\s+/).every(part => text.includes(part));
};

function draw_head() {
  const status = data.status ?? (live ? "running" : "unfinished");
  document.title = `${data.project} #${data.number}: ${status}`;
  byId("project").textContent = `${data.project} #${data.number}`;
  byId("run-status").textContent = `${symbols[look(status)]} ${status}`;
  byId("run-status").className = "pill s-" + look(status);
  byId("run-title").textContent = [data.name, data.title].filter(Boolean).join(" · ");
  const began = new Date(data.began).toLocaleString();
  byId("run-facts").textContent = [took(data.took), `${data.jobs.length} job${data.jobs.length === 1 ? "" : "s"}`, data.engine, began, "podline " + data.podline].filter(Boolean).join(" · ");
  byId("notices").replaceChildren(...data.notices.map(message => shown("div", { class: "notice" }, message)));
  byId("left-out-section").hidden = !data.left_out.length;
  byId("left-out").replaceChildren(...data.left_out.map(it => make("li", {}, ...nodes(`${it.name}: ${it.standing?.reason ?? "not in the pipeline"}`))));
}

function draw_chips() {
  const counts = new Map();
  for (const job of data.jobs) counts.set(chip_of(job), (counts.get(chip_of(job)) ?? 0) + 1);
  for (const chip of state.chips) if (!counts.has(chip)) counts.set(chip, 0);
  const chip = status => make("button", {
    type: "button", class: "chip", "data-chip": status, "aria-pressed": String(state.chips.has(status)),
    onclick: () => { state.chips.delete(status) || state.chips.add(status); draw_chips(); draw_filter(); },
  }, make("span", { class: "s-" + status }, symbols[status]), ` ${counts.get(status)} ${word(status === "warning" ? "failed" : status, status === "warning")}`);
  byId("chips").replaceChildren(...looks.filter(status => counts.has(status)).map(chip));
}

function draw_table() {
  const body = byId("jobs").tBodies[0];
  body.replaceChildren(...data.jobs.map((job, at) => {
    const last = job.attempts.at(-1), note = job.reason ?? last?.failure?.message.split("\n")[0] ?? (last?.tests?.total ? sum_of(last.tests) : null) ?? (last?.artifacts ? `${last.artifacts} artifact file${last.artifacts === 1 ? "" : "s"}` : "");
    const exit = last?.exit_code ? String(last.exit_code) : "";
    return make("tr", { "data-job": at, onclick: () => open_job(at) },
      make("td", { class: "muted" }, data.stages[job.stage]),
      make("td", { class: "job" }, make("a", { href: `#job=${at}` }, job.name)),
      make("td", { class: "status" }, mark(job.status, job.allowed), " " + word(job.status, job.allowed)),
      make("td", { class: "number" }, job.attempts.length ? took(spent(job, data.took)) : ""),
      make("td", { class: "number" }, job.attempts.length > 1 ? String(job.attempts.length) : ""),
      make("td", { class: "number" }, exit),
      make("td", { class: "note" }, note));
  }));
}

function draw_filter() {
  let count = 0;
  const fitting = data.jobs.map(fits);
  for (const row of byId("jobs").tBodies[0].rows) { row.hidden = !fitting[row.dataset.job]; count += row.hidden ? 0 : 1; }
  for (const element of document.querySelectorAll(".node, .bar[data-job]")) element.classList.toggle("dim", !fitting[element.dataset.job]);
  byId("nothing").hidden = count > 0;
}

function draw_overview() {
  draw_head();
  draw_chips();
  draw_table();
  draw_graph(data, open_job);
  draw_timeline(data, open_job);
  draw_filter();
}

// The address says what is open, so that the browser's own back and forward work.
function open_job(at, tab = state.tab) { location.hash = `job=${at}&tab=${tab}`; }
function route() {
  const wanted = new URLSearchParams(location.hash.slice(1)), at = Number(wanted.get("job") ?? NaN);
  const job = data.jobs[at];
  byId("overview").hidden = !!job;
  byId("job").hidden = !job;
  if (!job) { state.job = null; loaded = null; draw_overview(); return; }
  draw_head();
  state.tab = tabs.includes(wanted.get("tab")) ? wanted.get("tab") : "log";
  if (state.job !== at) { state.job = at; state.attempt = -1; }
  draw_job();
}

function draw_job() {
  const job = data.jobs[state.job], attempt = job.attempts.at(state.attempt);
  byId("job-name").replaceChildren(...nodes(job.name));
  byId("job-status").textContent = `${symbols[chip_of(job)]} ${word(job.status, job.allowed)}`;
  byId("job-status").className = "pill s-" + chip_of(job);
  const facts = [data.stages[job.stage]];
  if (attempt) facts.push(took((attempt.to ?? data.took) - attempt.from), data.lanes[attempt.lane]);
  if (attempt?.exit_code) facts.push(`exit code ${attempt.exit_code}`);
  if (attempt?.tests?.total) facts.push(sum_of(attempt.tests));
  if (attempt?.artifacts) facts.push(`${attempt.artifacts} artifact file${attempt.artifacts === 1 ? "" : "s"}`);
  byId("job-facts").textContent = facts.join(" · ");
  const failure = attempt?.failure, reason = failure?.message ?? job.reason;
  byId("failure").hidden = !reason;
  byId("failure").replaceChildren(...nodes(reason ?? ""), ...(failure?.help ? [shown("div", { class: "help" }, failure.help)] : []));
  draw_failing(attempt?.tests);
  byId("attempts").replaceChildren(...(job.attempts.length < 2 ? [] : job.attempts.map((it, at) => {
    const is_now = job.attempts.at(state.attempt) === it;
    return make("button", { type: "button", class: "chip", "aria-pressed": String(is_now), onclick: () => { state.attempt = at; draw_job(); } }, mark(it.status, job.allowed), ` attempt ${at + 1}`);
  })));
  for (const tab of document.querySelectorAll("[data-tab]")) tab.setAttribute("aria-selected", String(tab.dataset.tab === state.tab));
  for (const tab of tabs) byId("panel-" + tab).hidden = tab !== state.tab;
  draw_panels(job, attempt);
  byId("previous").disabled = state.job === 0;
  byId("next").disabled = state.job === data.jobs.length - 1;
  load_log(job, attempt);
}

// What does not change is left alone, with what the reader has marked in it.
let drawn = null;
function draw_panels(job, attempt) {
  const key = [state.job, job.attempts.indexOf(attempt), !!attempt?.pod].join();
  if (drawn === key) return;
  drawn = key;
  draw_why(job.explanation);
  draw_variables(job.explanation);
  draw_yaml(job.explanation);
  draw_pod(attempt);
}

async function load_log(job, attempt) {
  const number = attempt ? job.attempts.indexOf(attempt) : 0, key = `${state.job}-${number}`;
  if (loaded?.key === key) { if (live) more_log(loaded, attempt); return; }
  const log = new Log(), mine = (loaded = { key, log, busy: true });
  view.show(log, attempt?.trace ?? "log", !attempt?.to || job.status === "failed");
  const element = byId("log-" + key);
  if (element) await fill(log, packed(element), () => loaded === mine, () => view.grown());
  mine.busy = false;
  if (live) { await more_log(mine, attempt); return; }
  if (loaded === mine) { log.index(true); view.grown(); }
}

// What was written to the trace of a running job since the last look.
async function more_log(mine, attempt) {
  if (mine.busy || !attempt?.trace || mine.log.complete) return;
  mine.busy = true;
  try {
    const answer = await fetch(`logs/${encodeURIComponent(attempt.trace)}?from=${mine.log.length}`);
    if (answer.ok) await fill(mine.log, chunks(answer.body), () => loaded === mine, () => view.grown());
    mine.log.index(attempt.to !== null);
    if (loaded === mine) view.grown();
  } catch { /* the next look tries again */ } finally { mine.busy = false; }
}

const themes = ["auto", "dark", "light"];
let theme = "auto";
try { theme = localStorage.getItem("podline-theme") ?? "auto"; } catch { /* a browser that keeps nothing */ }
const prefers = matchMedia("(prefers-color-scheme: dark)");
function draw_theme() {
  document.documentElement.toggleAttribute("data-dark", theme === "dark" || (theme === "auto" && prefers.matches));
  byId("theme").textContent = { auto: "◐", dark: "●", light: "○" }[theme];
}
prefers.addEventListener("change", draw_theme);
function next_theme() {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length];
  try { localStorage.setItem("podline-theme", theme); } catch { /* a browser that keeps nothing */ }
  draw_theme();
}

function step(by) {
  const order = data.jobs.map((_, at) => at).filter(at => fits(data.jobs[at]));
  const at = order.indexOf(state.job), next = order[state.job === null ? 0 : at + by];
  if (next !== undefined) open_job(next);
}
function next_failed() {
  const failed = data.jobs.map((_, at) => at).filter(at => data.jobs[at].status === "failed");
  const next = failed.find(at => at > (state.job ?? -1)) ?? failed[0];
  if (next !== undefined) open_job(next, "log");
}

const keys = {
  "/": () => { const box = byId(state.job === null ? "search" : "log-search"); if (state.job !== null && state.tab !== "log") open_job(state.job, "log"); box.focus(); box.select(); },
  j: () => step(1), k: () => step(-1), f: next_failed, t: next_theme, "?": () => byId("help").showModal(),
  n: () => view.go(1), N: () => view.go(-1), x: () => view.fold(),
  Home: () => view.edge(0), End: () => view.edge(1), Escape: () => { location.hash = ""; },
};
tabs.forEach((tab, at) => { keys[at + 1] = () => { if (state.job !== null) open_job(state.job, tab); }; });

addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  if (event.target.matches("input")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const inside = ["n", "N", "x", "Home", "End"].includes(event.key);
  if (!keys[event.key] || (inside && state.job === null)) return;
  event.preventDefault();
  keys[event.key]();
});
addEventListener("hashchange", route);
addEventListener("beforeprint", () => { view.printing = true; view.draw(); });
addEventListener("afterprint", () => { view.printing = false; view.draw(); });
byId("search").addEventListener("input", event => { state.wanted = event.target.value; draw_filter(); });
byId("theme").addEventListener("click", next_theme);
byId("keys").addEventListener("click", () => byId("help").showModal());
byId("back").addEventListener("click", () => { location.hash = ""; });
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
for (const tab of document.querySelectorAll("[data-tab]")) tab.addEventListener("click", () => open_job(state.job, tab.dataset.tab));

async function follow() {
  while (data.status === null || data.status === undefined) {
    await new Promise(resolve => setTimeout(resolve, 500));
    try {
      const answer = await fetch("data.json");
      if (!answer.ok) continue;
      data = await answer.json();
    } catch { continue; }
    if (state.job !== null) { draw_head(); draw_job(); continue; }
    const focused = document.activeElement?.dataset?.job;
    draw_overview();
    if (focused !== undefined) document.querySelector(`.node[data-job="${focused}"]`)?.focus();
  }
}

draw_theme();
route();
if (live) follow();
