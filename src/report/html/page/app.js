// The page: which job is open, what is looked for, keys, colours, and a run that still goes on.

const live = document.documentElement.hasAttribute("data-live");
let data = JSON.parse(byId("data").textContent);
const state = { job: null, tab: "log", attempt: -1, wanted: "", chips: new Set() };
const view = new LogView();
const tabs = ["log", "why", "variables", "yaml", "pod"];
let loaded = null;

const chip_of = job => look(job.status, job.allowed);
const fits = job => {
  const text = (full_name(data, job) + " " + stage_of(data, job)).toLowerCase();
  return (!state.chips.size || state.chips.has(chip_of(job))) && state.wanted.toLowerCase().split(/\s+/).every(part => text.includes(part));
};

// Nothing happens any more in a run that was killed, whatever was happening in it.
function how_it_ended() {
  if (data.status != null) { words.clear(); return null; }
  if (!data.goes_on) words.set("running", "unfinished").set("waiting", "not started");
  if (data.goes_on) return live ? null : "This run still goes on: podline report --serve follows it.";
  return `This run has not come to its end: podline was killed or lost its record after ${took(data.took)}.`;
}

function draw_head() {
  const end = how_it_ended(), status = data.status ?? (data.goes_on ? "running" : "unfinished");
  document.title = `${data.project} #${data.number}: ${status}`;
  byId("project").textContent = `${data.project} #${data.number}`;
  pill(byId("run-status"), status);
  byId("run-title").textContent = [data.name, data.title].filter(Boolean).join(" · ");
  const began = new Date(data.began).toLocaleString();
  byId("run-facts").textContent = [took(data.took), `${data.jobs.length} job${data.jobs.length === 1 ? "" : "s"}`, data.engine, began, "podline " + data.podline].filter(Boolean).join(" · ");
  const notices = end ? [end, ...data.notices] : data.notices;
  byId("notices").hidden = !notices.length;
  byId("notices").replaceChildren(...notices.map(message => shown("div", { class: "notice" }, message)));
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
  }, mark(status), ` ${counts.get(status)} ${word(status === "warning" ? "failed" : status, status === "warning")}`);
  byId("chips").replaceChildren(...looks.filter(status => counts.has(status)).map(chip));
}

// The jobs of the run in one line, by what became of them.
function draw_strip() {
  const parts = looks.map(status => [status, data.jobs.filter(job => chip_of(job) === status).length]).filter(([, count]) => count);
  byId("strip").replaceChildren(...parts.map(([status, count]) => {
    const part = make("span", { class: "s-" + status });
    part.style.flexGrow = count;
    return part;
  }));
}

// How many failures are shown with the end of their logs, and how long that is.
const most_wrong = 5, tail_lines = 12;

// What a reader looks for first: the jobs that made the pipeline fail, with the end of their logs.
function draw_wrong() {
  const failed = in_order(data).filter(at => data.jobs[at].status === "failed" && !data.jobs[at].allowed);
  // of a trigger job whose child pipeline has failed, the jobs there say why
  const causes = failed.filter(at => !failed.some(other => data.jobs[other].pipeline === child_of(data, at)));
  byId("wrong-section").hidden = !causes.length;
  const more = causes.length > most_wrong ? [shown("p", { class: "muted" }, `and ${causes.length - most_wrong} more: press f for the next`)] : [];
  byId("wrong").replaceChildren(...causes.slice(0, most_wrong).map(draw_failure), ...more);
}

function draw_failure(at) {
  const job = data.jobs[at], attempt = job.attempts.at(-1), failure = attempt?.failure;
  const facts = [stage_of(data, job), attempt ? took(spent(job, data.took)) : null].filter(Boolean).join(" · ");
  const head = make("div", { class: "wrong-head" }, mark("failed"),
    make("a", { href: `#job=${at}&tab=log` }, make("span", { class: "muted" }, ...nodes(path_of(data, job))), make("b", {}, ...nodes(job.name))),
    make("span", { class: "muted" }, facts));
  const lines = (attempt?.tail ?? []).slice(-tail_lines);
  return make("article", { class: "wrong" }, head, shown("p", {}, failure?.message ?? job.reason ?? "it failed"),
    failure?.help ? shown("p", { class: "muted" }, failure.help) : null, lines.length ? make("pre", {}, ...painted(lines)) : null);
}

// Lines in their colours.
function* painted(lines) {
  let style = plain_style;
  for (const line of lines) {
    const row = runs(line, style);
    style = row.style;
    for (const run of row.runs) {
      const piece = make("span", {}, ...nodes(run.text));
      paint(piece, run.style);
      yield piece;
    }
    yield "\n";
  }
}

function note_of(job) {
  const last = job.attempts.at(-1), notes = [];
  if (job.reason) return job.reason;
  if (last?.failure) return last.failure.message.split("\n")[0];
  if (last?.tests?.total) notes.push(sum_of(last.tests));
  if (last?.artifacts) notes.push(artifacts_of(last));
  if (last?.coverage != null) notes.push(`${last.coverage}% coverage`);
  return notes.join(", ");
}

function draw_table() {
  const rows = in_order(data).map(at => {
    const job = data.jobs[at], last = job.attempts.at(-1), note = note_of(job);
    const name = make("a", { href: `#job=${at}` }, make("span", { class: "muted" }, ...nodes(path_of(data, job))), make("b", {}, ...nodes(job.name)));
    const row = make("tr", { "data-job": at, onclick: () => open_job(at) },
      make("td", { class: "stage muted" }, ...nodes(stage_of(data, job))),
      make("td", { class: "job" }, name),
      make("td", { class: "status" }, mark(job.status, job.allowed), make("span", {}, word(job.status, job.allowed))),
      make("td", { class: "number time" }, job.attempts.length ? took(spent(job, data.took)) : ""),
      make("td", { class: "number tries" }, job.attempts.length > 1 ? String(job.attempts.length) : ""),
      make("td", { class: "number exit" }, last?.exit_code ? String(last.exit_code) : ""),
      make("td", { class: "note" }, ...nodes(note)));
    row.style.setProperty("--depth", data.pipelines[job.pipeline].path.length);
    return row;
  });
  byId("jobs").tBodies[0].replaceChildren(...rows);
  byId("jobs").classList.toggle("no-tries", !data.jobs.some(job => job.attempts.length > 1));
  byId("jobs").classList.toggle("no-exit", !data.jobs.some(job => job.attempts.at(-1)?.exit_code));
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
  draw_strip();
  draw_wrong();
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
  byId("job-path").replaceChildren(...draw_path(job.pipeline));
  byId("job-name").replaceChildren(...nodes(job.name));
  pill(byId("job-status"), job.status, job.allowed);
  const facts = [stage_of(data, job)];
  if (attempt) facts.push(took((attempt.to ?? data.took) - attempt.from), data.lanes[attempt.lane]);
  if (attempt?.exit_code) facts.push(`exit code ${attempt.exit_code}`);
  if (attempt?.tests?.total) facts.push(sum_of(attempt.tests));
  if (attempt?.memory) facts.push(`${mebi(attempt.memory)} memory`);
  if (attempt?.artifacts) facts.push(artifacts_of(attempt));
  if (attempt?.coverage != null) facts.push(`${attempt.coverage}% coverage`);
  byId("job-facts").textContent = facts.join(" · ");
  const failure = attempt?.failure, reason = failure?.message ?? job.reason;
  byId("failure").hidden = !reason;
  byId("failure").style.setProperty("--tone", `var(--${chip_of(job)})`);
  byId("failure").replaceChildren(...nodes(reason ?? ""), ...(failure?.help ? [shown("div", { class: "help" }, failure.help)] : []));
  draw_failing(attempt?.tests);
  byId("attempts").replaceChildren(...(job.attempts.length < 2 ? [] : job.attempts.map((it, at) => {
    const is_now = job.attempts.at(state.attempt) === it;
    return make("button", { type: "button", class: "chip", "aria-pressed": String(is_now), onclick: () => { state.attempt = at; draw_job(); } }, mark(it.status, job.allowed), ` attempt ${at + 1}`);
  })));
  for (const tab of document.querySelectorAll("[data-tab]")) tab.setAttribute("aria-selected", String(tab.dataset.tab === state.tab));
  for (const tab of tabs) byId("panel-" + tab).hidden = tab !== state.tab;
  draw_downstream();
  draw_panels(job, attempt);
  const order = in_order(data);
  byId("previous").disabled = state.job === order[0];
  byId("next").disabled = state.job === order.at(-1);
  load_log(job, attempt);
}

// The trigger jobs that lead to a pipeline, each a link to it.
function draw_path(pipeline) {
  const { trigger, path } = data.pipelines[pipeline];
  if (trigger == null) return [];
  return [...draw_path(data.jobs[trigger].pipeline), make("a", { href: `#job=${trigger}` }, ...nodes(path.at(-1))), " / "];
}

// The jobs of the child pipeline that a job has started.
function draw_downstream() {
  const child = child_of(data, state.job), pipeline = data.pipelines[child];
  byId("downstream").hidden = child <= 0;
  if (child <= 0) return;
  byId("downstream").replaceChildren(make("span", { class: "muted" }, "↳ " + pipeline.title), ...jobs_of(data, child).map(at => draw_node(data, at, open_job)));
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
  view.show(log, attempt?.trace?.split("/").at(-1) ?? "log", !attempt?.to || job.status === "failed");
  const element = byId("log-" + key), has_log = live ? !!attempt : !!element;
  byId("panel-log").classList.toggle("empty", !has_log);
  byId("no-log").hidden = has_log;
  byId("no-log").textContent = child_of(data, state.job) > 0 ? "It has no log of its own: the jobs that it has started do." : attempt ? "Its log is not there." : "It has not run, so it has no log.";
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
    const answer = await fetch(`logs/${attempt.trace.split("/").map(encodeURIComponent).join("/")}?from=${mine.log.length}`);
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
  const order = in_order(data).filter(at => fits(data.jobs[at]));
  const at = order.indexOf(state.job), next = order[state.job === null ? 0 : at + by];
  if (next !== undefined) open_job(next);
}
function next_failed() {
  const order = in_order(data), failed = order.filter(at => data.jobs[at].status === "failed");
  const next = failed.find(at => order.indexOf(at) > order.indexOf(state.job)) ?? failed[0];
  if (next !== undefined) open_job(next, "log");
}

const keys = {
  "/": () => { const box = byId(state.job === null ? "search" : "log-search"); if (state.job !== null && state.tab !== "log") open_job(state.job, "log"); box.focus(); box.select(); },
  j: () => step(1), k: () => step(-1), f: next_failed, t: next_theme, "?": () => byId("help").showModal(),
  n: () => view.go(1), N: () => view.go(-1), x: () => view.fold(),
  Home: () => view.edge(0), End: () => view.edge(1), Escape: () => { location.hash = ""; },
};
for (const [key, by] of [["ArrowLeft", -1], ["ArrowRight", 1]]) {
  keys[key] = () => {
    const tab = tabs[tabs.indexOf(state.tab) + by];
    if (!tab) return;
    open_job(state.job, tab);
    document.querySelector(`[data-tab="${tab}"]`).focus();
  };
}
tabs.forEach((tab, at) => { keys[at + 1] = () => { if (state.job !== null) open_job(state.job, tab); }; });

addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  if (event.target.matches("input")) {
    if (event.key === "Escape") {
      event.target.blur();
      if (event.target.id === "search") { event.target.value = state.wanted = ""; draw_filter(); }
    }
    // the first job that was found
    if (event.key === "Enter" && event.target.id === "search") step(0);
    return;
  }
  const inside = ["n", "N", "x", "Home", "End"].includes(event.key);
  if (!keys[event.key] || (inside && state.job === null)) return;
  if (event.key.startsWith("Arrow") && !event.target.matches("[data-tab]")) return;
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
  while (data.status == null && data.goes_on) {
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
