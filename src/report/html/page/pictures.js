// The pipeline as stages with their jobs, and as a timeline of the places they ran in.

const bounds = job => {
  const last = job.attempts.at(-1);
  return last ? { from: job.attempts[0].from, to: last.to ?? null } : null;
};
const spent = (job, now) => job.attempts.reduce((sum, attempt) => sum + ((attempt.to ?? now) - attempt.from), 0);

function describe(job, now) {
  const time = job.attempts.length ? ", " + took(spent(job, now)) : "";
  return `${job.name}: ${word(job.status, job.allowed)}${time}`;
}

// Which jobs a job waits for: what it names, or all of the stage before that has any.
function waits_for(data, at) {
  const job = data.jobs[at];
  if (job.needs) return job.needs;
  const before = jobs_of(data, job.pipeline).filter(other => data.jobs[other].stage < job.stage);
  const nearest = Math.max(...before.map(other => data.jobs[other].stage));
  return before.filter(other => data.jobs[other].stage === nearest);
}

// A run is a tree: the first pipeline, and the child pipelines that its trigger jobs have started.
const jobs_of = (data, pipeline) => data.jobs.map((_, at) => at).filter(at => data.jobs[at].pipeline === pipeline);
const child_of = (data, at) => data.pipelines.findIndex(pipeline => pipeline.trigger === at);
const stage_of = (data, job) => data.pipelines[job.pipeline].stages[job.stage] ?? "";
const path_of = (data, job) => data.pipelines[job.pipeline].path.map(name => name + "/").join("");
const full_name = (data, job) => path_of(data, job) + job.name;

// All jobs, those of a child pipeline after the job that has started it.
function in_order(data, pipeline = 0) {
  return jobs_of(data, pipeline).flatMap(at => { const child = child_of(data, at); return child > pipeline ? [at, ...in_order(data, child)] : [at]; });
}

// All pipelines, each child after the one that its trigger job is of.
function pipelines_in_order(data, pipeline = 0) {
  const children = jobs_of(data, pipeline).map(at => child_of(data, at)).filter(child => child > pipeline);
  return [pipeline, ...children.flatMap(child => pipelines_in_order(data, child))];
}

function draw_graph(data, open) {
  const buttons = [], blocks = pipelines_in_order(data).map(number => [number, draw_pipeline(data, number, buttons, open)]);
  byId("graph").replaceChildren(...blocks.map(([number, columns]) => (number ? draw_child(data, number, columns, open) : columns)));
  const edges = blocks.flatMap(([number, columns]) => draw_edges(data, number, columns, buttons));
  point_out(data, buttons, edges);
}

function draw_child(data, number, columns, open) {
  const pipeline = data.pipelines[number], count = jobs_of(data, number).length;
  const head = make("div", { class: "child-head" }, make("span", { "aria-hidden": "true" }, "↳"), mark(pipeline.status ?? "running"),
    make("a", { href: `#job=${pipeline.trigger}` }, ...nodes(pipeline.path.join(" / "))),
    make("span", { class: "muted" }, `${pipeline.title} · ${count} job${count === 1 ? "" : "s"}`));
  const block = make("div", { class: "child", role: "group", "aria-label": `child pipeline of ${pipeline.path.join("/")}` }, head, columns);
  block.style.setProperty("--depth", pipeline.path.length);
  return block;
}

// A stage with more jobs than this has them in several columns.
const tallest_column = 16;

function draw_pipeline(data, number, buttons, open) {
  const columns = make("div", { class: "columns" });
  data.pipelines[number].stages.forEach((stage, place) => {
    const jobs = jobs_of(data, number).filter(at => data.jobs[at].stage === place);
    if (!jobs.length) return;
    const column = make("div", { class: "column" }, make("h3", {}, ...nodes(stage), jobs.length > 9 ? ` · ${jobs.length}` : ""));
    const beside = Math.min(5, Math.ceil(jobs.length / tallest_column));
    column.classList.toggle("many", beside > 1);
    column.style.setProperty("--rows", Math.ceil(jobs.length / beside));
    column.append(make("div", { class: "stack" }, ...jobs.map(at => (buttons[at] = draw_node(data, at, open)))));
    columns.append(column);
  });
  return columns;
}

function draw_node(data, at, open) {
  const job = data.jobs[at], child = child_of(data, at);
  const time = job.attempts.length ? make("small", {}, took(spent(job, data.took))) : null;
  return make("button", {
    class: "node" + (is_critical(data, at) ? " critical" : ""), type: "button", "data-job": at,
    title: describe(job, data.took) + (job.reason ? `\n${job.reason}` : ""), "aria-label": describe(job, data.took), onclick: () => open(at),
  }, mark(job.status, job.allowed), make("span", { class: "name" }, ...nodes(job.name)), child > 0 ? make("small", { class: "down" }, "↳") : null, time);
}

const is_critical = (data, at) => data.critical_path.length > 1 && data.critical_path.includes(at);

// The lines of the needs of a pipeline: each with the jobs it leads from and to.
function draw_edges(data, number, columns, buttons) {
  const svg = drawing("svg", { class: "edges", "aria-hidden": "true" });
  // Without `needs` every job waits for all of the stage before: that is no news, and a thicket.
  const named = jobs_of(data, number).flatMap(at => (data.jobs[at].needs ?? []).map(need => [need, at]));
  const frame = columns.getBoundingClientRect();
  const box = at => buttons[at]?.getBoundingClientRect();
  const edges = [];
  for (const [from, to] of named) {
    const one = box(from), other = box(to);
    if (!one || !other) continue;
    const middle = box => box.top + box.height / 2 - frame.top;
    const x1 = one.right - frame.left, x2 = other.left - frame.left;
    const same = x2 <= x1, bend = same ? 22 : (x2 - x1) / 2, end = same ? other.right - frame.left : x2;
    const path = drawing("path", { d: `M${x1} ${middle(one)} C${x1 + bend} ${middle(one)} ${same ? end + bend : end - bend} ${middle(other)} ${end} ${middle(other)}` });
    if (is_critical(data, from) && is_critical(data, to)) path.classList.add("critical");
    edges.push([path, from, to]);
    svg.append(path);
  }
  // So many are no picture any more: those of the job that is pointed at are.
  svg.classList.toggle("many", named.length > 120);
  columns.prepend(svg);
  return edges;
}

// What a job waits for and what waits for it, while it is pointed at.
function point_out(data, buttons, edges) {
  const around = at => {
    const near = new Set(at === null ? [] : [at, ...waits_for(data, at), ...data.jobs.map((_, other) => other).filter(other => waits_for(data, other).includes(at))]);
    buttons.forEach((button, other) => button.classList.toggle("near", near.has(other)));
    for (const [path, from, to] of edges) path.classList.toggle("near", at !== null && (from === at || to === at));
  };
  buttons.forEach((button, at) => {
    for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => around(at));
    for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => around(null));
  });
}

// Marks of an axis: at most ten, at round numbers.
function ticks(total) {
  const steps = [0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
  const step = steps.find(step => total / step <= 10) ?? 14400;
  return Array.from({ length: Math.floor(total / step) + 1 }, (_, at) => at * step);
}

// Steps that overlap go on lines of their own.
function lines_of(steps, until) {
  const lines = [];
  for (const step of steps) {
    const free = lines.find(line => (line.at(-1).to ?? until) <= step.from + 1e-6);
    if (free) free.push(step); else lines.push([step]);
  }
  return lines;
}

function draw_timeline(data, open) {
  const total = Math.max(data.took, 0.1), part = seconds => (100 * seconds) / total + "%";
  const place = (element, from, to) => { element.style.left = part(from); element.style.width = part(Math.max(to - from, 0)); return element; };
  const lanes = make("div", { class: "lanes" });
  const lane = (name, bars) => lanes.append(make("div", { class: "lane" }, make("span", { title: name }, name), make("div", { class: "track" }, ...bars)));
  lines_of(data.setup, data.took).forEach((steps, line) => lane(line ? "" : "getting ready", steps.map(step => {
    const to = step.to ?? data.took, title = `${step.step}, ${took(to - step.from)}`;
    return place(make("span", { class: "bar s-waiting", title }, make("b", {}, ...nodes(step.step))), step.from, to);
  })));
  const on = data.lanes.map(() => []);
  data.jobs.forEach((job, at) => { for (const attempt of job.attempts) on[attempt.lane].push([at, attempt]); });
  data.lanes.forEach((name, number) => lane(name, on[number].map(([at, attempt]) => place(draw_bar(data, at, attempt, open), attempt.from, attempt.to ?? data.took))));
  const marks = ticks(total).map(seconds => {
    const tick = make("span", {}, seconds ? took(seconds).replace(/\.0s$/, "s") : "0");
    tick.style.left = part(seconds);
    return tick;
  });
  lanes.append(make("div", { class: "axis", "aria-hidden": "true" }, ...marks));
  byId("timeline").replaceChildren(lanes);
  const path = data.critical_path.map(at => `${full_name(data, data.jobs[at])} ${took(spent(data.jobs[at], data.took))}`);
  byId("critical").textContent = path.length > 1 ? "critical path: " + path.join(" → ") : "";
}

// An attempt: pale until its script began. That of a trigger job is pale all through, as others do the work.
function draw_bar(data, at, attempt, open) {
  const job = data.jobs[at], to = attempt.to ?? data.took, length = Math.max(to - attempt.from, 1e-3);
  const status = attempt.to === null ? "running" : attempt.status;
  const script = attempt.phases.find(([phase]) => phase === "script")?.[1] ?? to;
  const work = make("i");
  work.style.left = (100 * Math.min(script - attempt.from, length)) / length + "%";
  const before = child_of(data, at) > 0 ? "" : `\n${took(Math.max(0, script - attempt.from))} until its script began`;
  const title = `${full_name(data, job)}: ${word(status, job.allowed)}, ${took(length)}${before}`;
  return make("button", {
    class: `bar s-${look(status, job.allowed)}` + (is_critical(data, at) ? " critical" : ""), type: "button", "data-job": at, title,
    "aria-label": title, onclick: () => open(at),
  }, work, make("b", {}, ...nodes(full_name(data, job))));
}
