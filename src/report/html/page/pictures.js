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
  const before = data.jobs.map((other, place) => [other, place]).filter(([other]) => other.stage < job.stage);
  const nearest = Math.max(...before.map(([other]) => other.stage));
  return before.filter(([other]) => other.stage === nearest).map(([, place]) => place);
}

function draw_graph(data, open) {
  const columns = make("div", { class: "columns" });
  const critical = new Set(data.critical_path.length > 1 ? data.critical_path : []);
  const buttons = [];
  data.stages.forEach((stage, number) => {
    const jobs = data.jobs.map((job, at) => [job, at]).filter(([job]) => job.stage === number);
    if (!jobs.length) return;
    const column = make("div", { class: "column" }, make("h3", {}, stage + (jobs.length > 9 ? ` · ${jobs.length}` : "")));
    for (const [job, at] of jobs) {
      const time = job.attempts.length ? make("small", {}, took(spent(job, data.took))) : null;
      const button = make("button", {
        class: "node" + (critical.has(at) ? " critical" : ""), type: "button", "data-job": at,
        title: describe(job, data.took) + (job.reason ? `\n${job.reason}` : ""), "aria-label": describe(job, data.took), onclick: () => open(at),
      }, mark(job.status, job.allowed), make("span", { class: "name" }, job.name), time);
      buttons[at] = button;
      column.append(button);
    }
    columns.append(column);
  });
  byId("graph").replaceChildren(columns);
  draw_edges(data, columns, buttons);
}

function draw_edges(data, columns, buttons) {
  const space = "http://www.w3.org/2000/svg", svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "edges");
  svg.setAttribute("aria-hidden", "true");
  // Without `needs` every job waits for all of the stage before: that is no news, and a thicket.
  const named = data.jobs.flatMap((job, at) => (job.needs ?? []).map(need => [need, at]));
  const frame = columns.getBoundingClientRect();
  const boxes = buttons.map(button => button.getBoundingClientRect());
  const paths = [];
  const edge = ([from, to]) => {
    if (!boxes[from] || !boxes[to]) return;
    const path = document.createElementNS(space, "path");
    const y = box => box.top + box.height / 2 - frame.top;
    const x1 = boxes[from].right - frame.left, x2 = boxes[to].left - frame.left, y1 = y(boxes[from]), y2 = y(boxes[to]);
    const same = x2 <= x1, bend = same ? 22 : (x2 - x1) / 2;
    const end = same ? boxes[to].right - frame.left : x2;
    path.setAttribute("d", `M${x1} ${y1} C${x1 + bend} ${y1} ${same ? end + bend : end - bend} ${y2} ${end} ${y2}`);
    paths.push([path, from, to]);
    svg.append(path);
  };
  named.forEach(edge);
  // So many are no picture any more: those of the job that is pointed at are.
  svg.classList.toggle("many", named.length > 120);
  columns.prepend(svg);
  const around = at => {
    const near = new Set(at === null ? [] : [at, ...waits_for(data, at), ...data.jobs.map((_, other) => other).filter(other => waits_for(data, other).includes(at))]);
    buttons.forEach((button, other) => button.classList.toggle("near", near.has(other)));
    for (const [path, from, to] of paths) path.classList.toggle("near", at !== null && (from === at || to === at));
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

function draw_timeline(data, open) {
  const total = Math.max(data.took, 0.1), part = seconds => (100 * seconds) / total + "%";
  const critical = new Set(data.critical_path.length > 1 ? data.critical_path : []);
  const place = (element, from, to) => { element.style.left = part(from); element.style.width = part(Math.max(to - from, 0)); return element; };
  const lanes = make("div", { class: "lanes" });
  const lane = (name, bars) => lanes.append(make("div", { class: "lane" }, make("span", { title: name }, name), make("div", { class: "track" }, ...bars)));
  const steps = data.setup.map(step => {
    const title = `${step.step}, ${took((step.to ?? data.took) - step.from)}`;
    return place(make("span", { class: "bar s-waiting", title }, make("b", {}, step.step)), step.from, step.to ?? data.took);
  });
  if (steps.length) lane("getting ready", steps);
  data.lanes.forEach((name, number) => {
    const bars = data.jobs.flatMap((job, at) => job.attempts.filter(attempt => attempt.lane === number).map(attempt => {
      const to = attempt.to ?? data.took, length = Math.max(to - attempt.from, 1e-3);
      const status = attempt.to === null ? "running" : attempt.status;
      const script = attempt.phases.find(([phase]) => phase === "script")?.[1] ?? to;
      const ready = make("i");
      ready.style.width = (100 * Math.min(script - attempt.from, length)) / length + "%";
      const title = `${job.name}: ${word(status, job.allowed)}, ${took(length)}\n${took(Math.max(0, script - attempt.from))} until its script began`;
      return place(make("button", {
        class: `bar s-${look(status, job.allowed)}` + (critical.has(at) ? " critical" : ""), type: "button", "data-job": at, title,
        "aria-label": title, onclick: () => open(at),
      }, ready, make("b", {}, job.name)), attempt.from, to);
    }));
    lane(name, bars);
  });
  const marks = ticks(total).map(seconds => {
    const tick = make("span", {}, seconds ? took(seconds).replace(/\.0s$/, "s") : "0");
    tick.style.left = part(seconds);
    return tick;
  });
  lanes.append(make("div", { class: "axis", "aria-hidden": "true" }, ...marks));
  byId("timeline").replaceChildren(lanes);
  const path = data.critical_path.map(at => `${data.jobs[at].name} ${took(spent(data.jobs[at], data.took))}`);
  byId("critical").textContent = path.length > 1 ? "critical path: " + path.join(" → ") : "";
}
