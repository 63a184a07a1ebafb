// What there is to know of one job besides its log.

function table(head, rows) {
  const cells = (tag, values) => values.map(value => make(tag, {}, ...(value instanceof Node ? [value] : nodes(String(value)))));
  return make("table", { class: "limits" }, make("thead", {}, make("tr", {}, ...cells("th", head))), make("tbody", {}, ...rows.map(row => make("tr", {}, ...cells("td", row)))));
}

const shown = (tag, attributes, text) => make(tag, attributes, ...nodes(text));

function draw_why(explanation) {
  const panel = byId("panel-why");
  if (!explanation) { panel.replaceChildren(shown("p", { class: "muted" }, "Nothing was recorded of it.")); return; }
  const parts = [];
  const standing = explanation.standing ?? {};
  const words = { present: "It is in the pipeline.", held: "It is held: ", left_out: "It is not in the pipeline: ", unresolved: "It cannot be built: ", hidden: "It is a template: " };
  const kind = typeof standing === "string" ? standing : standing.standing;
  parts.push(shown("p", {}, (words[kind] ?? "") + (standing.reason ?? "")));
  for (const [title, rules] of [["workflow:rules", explanation.workflow], ["rules", explanation.rules]]) {
    if (rules?.length) parts.push(make("h2", {}, title), ...rules.map(draw_rule));
  }
  if (explanation.needs) {
    parts.push(make("h2", {}, "needs"));
    parts.push(explanation.needs.length ? table(["job", "", "where"], explanation.needs.map(need => [need.name, need.state, need.place ?? ""])) : shown("p", { class: "muted" }, "none: it starts at once"));
  }
  if (explanation.facts?.length) parts.push(make("h2", {}, "As it runs"), table(["", ""], explanation.facts.map(fact => [fact.name, fact.value])));
  panel.replaceChildren(...parts);
}

function draw_rule(rule) {
  const state = rule.is_too_late ? ["waiting", "not asked: an earlier one has decided"] : rule.lets_in ? ["success", rule.decides ? "decides" : "holds"] : ["failed", "does not hold"];
  const head = make("p", {}, mark(state[0]), ...nodes(` ${rule.title} `), make("span", { class: "muted" }, [state[1], rule.place].filter(Boolean).join(" · ")));
  const clauses = rule.clauses.map(clause => make("div", {},
    shown("p", { class: "mono" }, clause.text),
    rule.is_too_late ? null : shown("p", { class: "muted" }, clause.meaning),
    clause.parts.length > 1 ? make("ul", {}, ...clause.parts.map(part => shown("li", {}, part.text + (part.value == null ? "" : " = " + part.value)))) : null));
  if (!clauses.length) clauses.push(shown("p", { class: "muted" }, "no condition: always matches"));
  return make("div", { class: "rule" + (rule.decides ? " decides" : "") }, head, ...clauses, rule.sets.length ? shown("p", {}, "→ " + rule.sets.join(", ")) : null);
}

function draw_variables(explanation) {
  const rows = (explanation?.variables ?? []).map(variable => {
    const value = make("div", {}, shown("span", { class: "value mono" }, variable.value ?? "(masked)"));
    for (const [origin, was] of variable.overrode ?? []) value.append(make("div", {}, shown("span", { class: "was mono" }, was), make("span", { class: "muted" }, " " + origin)));
    return [shown("span", { class: "mono" }, variable.name), value, variable.origin, variable.place ?? ""];
  });
  const more = explanation?.unlisted_variables ? shown("p", { class: "muted" }, `and ${explanation.unlisted_variables} that GitLab sets and nothing here mentions`) : null;
  byId("panel-variables").replaceChildren(rows.length ? table(["variable", "value", "from", "place"], rows) : shown("p", { class: "muted" }, "It has none of its own."), ...(more ? [more] : []));
}

function draw_yaml(explanation) {
  const lines = explanation?.yaml ?? [];
  const widest = Math.min(72, Math.max(0, ...lines.map(line => line.text.length)));
  const text = lines.map(line => {
    const place = [line.from, line.place].filter(Boolean).join(", ");
    return make("div", {}, ...nodes(line.text), place ? make("span", { class: "from" }, " ".repeat(Math.max(2, widest - line.text.length + 2)) + "# " + place) : null);
  });
  byId("panel-yaml").replaceChildren(lines.length ? make("pre", {}, ...text) : shown("p", { class: "muted" }, "Nothing was recorded of it."));
}

function draw_pod(attempt) {
  const panel = byId("panel-pod");
  if (!attempt?.pod) { panel.replaceChildren(shown("p", { class: "muted" }, "No pod was made.")); return; }
  const used = draw_used(attempt);
  const amounts = list => list.map(([name, amount]) => `${amount} ${name}`).join(", ") || "none";
  const rows = attempt.containers.map(it => [it.name, it.image, amounts(it.requests), amounts(it.limits)]);
  panel.replaceChildren(...(used ? [used] : []), table(["container", "image", "requests", "limits"], rows), shown("pre", {}, attempt.pod));
}

// What the build container used at most, of what it may.
function draw_used(attempt) {
  const limits = new Map(attempt.containers.find(it => it.name === "build")?.limits ?? []);
  const rows = [["memory", attempt.memory, mebi], ["cpu", attempt.cpu, cores => cores.toFixed(1)]].filter(([, most]) => most != null);
  if (!rows.length) return null;
  const row = ([name, most, words]) => {
    const limit = quantity(limits.get(name)), share = limit ? most / limit : null;
    const bar = share == null ? make("span") : gauge(share);
    const said = `${words(most)} at most` + (share == null ? ", without a limit" : `, ${share < 0.01 ? "less than 1" : Math.round(share * 100)}% of ${limits.get(name)}`);
    return [make("span", { class: "muted" }, name), bar, shown("span", {}, said)];
  };
  return make("div", { class: "used" }, ...rows.flatMap(row));
}

function gauge(share) {
  const part = Math.max(1, Math.min(100, share * 100));
  return drawing("svg", { class: "gauge" + (share >= 0.9 ? " s-warning" : ""), viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    drawing("rect", { class: "all", width: 100, height: 8 }), drawing("rect", { class: "part", width: part, height: 8 }));
}

// `12 tests, 1 failed`.
function sum_of(tests) {
  const parts = [[tests.failed, "failed"], [tests.errors, "with an error"], [tests.skipped, "skipped"]].filter(([count]) => count);
  return [`${tests.total} test${tests.total === 1 ? "" : "s"}`, ...parts.map(([count, what]) => `${count} ${what}`)].join(", ");
}

function draw_failing(tests) {
  const failing = tests?.failing ?? [], more = (tests?.failed ?? 0) + (tests?.errors ?? 0) - failing.length;
  byId("failing").hidden = !failing.length;
  byId("failing").replaceChildren(...failing.map(test => make("li", {}, mark("failed"), " ",
    shown("span", { class: "mono" }, [test.class, test.name].filter(Boolean).join(" ")), test.message ? shown("div", { class: "muted" }, test.message) : null)),
  ...(more > 0 ? [shown("li", { class: "muted" }, `and ${more} more`)] : []));
}
