// A log of any length: its bytes, where its lines and sections begin, and the few rows that are in view.

const row_height = 20;
// Browsers stop making elements taller somewhere above this.
const tallest = 15_000_000;
// A line longer than this is cut: one of fifty megabytes would hold up everything.
const longest = 20_000;
// How many bytes are read before the page may draw again.
const slice = 1 << 22;

const pause = () => new Promise(resolve => setTimeout(resolve));
const section_mark = /section_(start|end):(\d+):([A-Za-z0-9_.-]+)(?:\[([^\]]*)\])?\r(?:\u001b\[0K)?/g;

class Log {
  constructor() {
    this.bytes = new Uint8Array(1 << 16);
    this.length = 0;
    this.starts = [];       // where each line begins
    this.styles = [0];      // the number of the style that each line begins with
    this.known = [plain_style];
    this.numbers = new Map([[JSON.stringify(plain_style), 0]]);
    this.sections = [];
    this.open = [];
    this.begins = new Map(); // line → its section
    this.hidden = new Set(); // lines that hold nothing but marks
    this.visible = [];      // the lines that no folded section hides
    this.complete = false;
    this.indexed = 0;       // up to here lines are known
    this.escape = -1;       // the next escape character
    this.clear = 0;         // up to here there is no other
    this.decoder = new TextDecoder();
  }

  add(chunk) {
    if (this.length + chunk.length > this.bytes.length) {
      const more = new Uint8Array(Math.max(this.bytes.length * 2, this.length + chunk.length));
      more.set(this.bytes.subarray(0, this.length));
      this.bytes = more;
    }
    this.bytes.set(chunk, this.length);
    this.length += chunk.length;
  }

  // Finds the lines in what was added; the last one only when it has its end, or `complete`.
  index(complete) {
    const bytes = this.bytes.subarray(0, this.length);
    let from = this.indexed;
    while (from < bytes.length) {
      let to = bytes.indexOf(10, from);
      if (to < 0) { if (!complete) break; to = bytes.length; }
      this.line(from, to, bytes);
      from = to + 1;
    }
    this.indexed = from;
    this.complete = complete;
  }

  line(from, to, bytes) {
    const line = this.starts.length, style = this.styles[line];
    this.starts.push(from);
    let after = style;
    if (this.has_escape(from, to, bytes)) {
      const text = this.decode(from, Math.min(to, from + longest));
      this.marks(text, line);
      after = this.number(runs(text, this.known[style]).style);
    }
    this.styles.push(after);
    if (!this.hidden.has(line) && !this.open.some(section => section.folded && section.line !== line)) this.visible.push(line);
  }

  // Most lines of most logs have none, and need no closer look.
  has_escape(from, to, bytes) {
    if (this.escape < from) this.escape = -1;
    if (this.escape < 0 && to > this.clear) {
      this.escape = bytes.indexOf(27, Math.max(from, this.clear));
      this.clear = this.escape < 0 ? bytes.length : this.escape + 1;
    }
    return this.escape >= 0 && this.escape < to;
  }

  marks(text, line) {
    let seen = false;
    for (const [, kind, time, name, options] of text.matchAll(section_mark)) {
      seen = true;
      if (kind === "start") {
        const section = { name, line, began: Number(time), folded: /collapsed=true/.test(options ?? ""), last: null, took: null };
        this.sections.push(section);
        this.open.push(section);
        this.begins.set(line, section);
      } else {
        const at = this.open.findLastIndex(section => section.name === name);
        if (at < 0) continue;
        for (const section of this.open.splice(at)) {
          section.last = line - 1;
          section.took = Number(time) - section.began;
        }
      }
    }
    if (seen && !this.begins.has(line) && bare(text.trimEnd()).trim() === "") this.hidden.add(line);
  }

  number(style) {
    const key = JSON.stringify(style);
    let number = this.numbers.get(key);
    if (number === undefined) {
      number = this.known.push(style) - 1;
      this.numbers.set(key, number);
    }
    return number;
  }

  decode(from, to) {
    return this.decoder.decode(this.bytes.subarray(from, to));
  }

  end(line) {
    const next = Math.min(this.starts[line + 1] ?? this.indexed, this.length);
    return this.bytes[next - 1] === 10 ? next - 1 : next;
  }

  text(line) {
    const from = this.starts[line], to = this.end(line), cut = to - from > longest;
    let text = this.decode(from, cut ? from + longest : to);
    if (text.endsWith("\r")) text = text.replace(/\r+$/, "");
    return cut ? text + ` … ${size(to - from)} in this line; Save has all of it` : text;
  }

  refold() {
    this.visible = [];
    const ends = [];
    let sections = 0;
    for (let line = 0; line < this.starts.length; line += 1) {
      while (ends.length && ends[ends.length - 1] < line) ends.pop();
      if (!ends.length && !this.hidden.has(line)) this.visible.push(line);
      while (sections < this.sections.length && this.sections[sections].line === line) {
        const section = this.sections[sections++];
        if (section.folded) ends.push(Math.max(section.last ?? Infinity, ends.at(-1) ?? -1));
      }
    }
  }

  // Unfolds what hides a line.
  reveal(line) {
    let changed = false;
    for (const section of this.sections) {
      if (section.folded && section.line < line && line <= (section.last ?? Infinity)) { section.folded = false; changed = true; }
    }
    if (changed) this.refold();
  }

  position(line) {
    let low = 0, high = this.visible.length;
    while (low < high) { const middle = (low + high) >> 1; if (this.visible[middle] < line) low = middle + 1; else high = middle; }
    return low;
  }

  // The lines that have a text, a part of the log at a time.
  async *find(wanted, still) {
    const needle = wanted.toLowerCase();
    let line = 0;
    while (line < this.starts.length && still()) {
      const until = this.starts[line] + slice;
      const found = [];
      for (; line < this.starts.length && this.starts[line] < until; line += 1) {
        if (!this.hidden.has(line) && bare(this.text(line)).toLowerCase().includes(needle)) found.push(line);
      }
      yield found;
      await pause();
    }
  }
}

class LogView {
  constructor() {
    this.box = byId("log");
    this.sizer = this.box.querySelector(".sizer");
    this.rows = this.box.querySelector(".rows");
    this.box.addEventListener("scroll", () => this.later());
    addEventListener("resize", () => this.later());
    this.rows.addEventListener("click", event => {
      const row = event.target.closest(".row.section");
      if (!row || String(getSelection())) return;
      const section = this.log.begins.get(Number(row.dataset.line));
      section.folded = !section.folded;
      this.log.refold();
      this.draw();
    });
    byId("log-search").addEventListener("input", () => this.search());
    byId("log-search").addEventListener("keydown", event => {
      if (event.key === "Enter") { event.preventDefault(); this.go(event.shiftKey ? -1 : 1); }
    });
    byId("log-up").addEventListener("click", () => this.go(-1));
    byId("log-down").addEventListener("click", () => this.go(1));
    byId("log-top").addEventListener("click", () => this.edge(0));
    byId("log-end").addEventListener("click", () => this.edge(1));
    byId("log-fold").addEventListener("click", () => this.fold());
    byId("log-save").addEventListener("click", () => this.save());
    this.show(new Log(), "log");
  }

  // Shows a log, for a start at its end where its job has failed or runs.
  show(log, name, at_end = false) {
    Object.assign(this, { log, name, matches: [], match: -1, wanted: "", follows: at_end });
    byId("log-search").value = "";
    byId("log-found").textContent = "";
    this.box.scrollTop = 0;
    this.box.scrollLeft = 0;
    this.draw();
  }

  // More of the log has come.
  grown() {
    this.draw();
    if (this.follows) this.edge(1);
  }

  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }

  // A log that is taller than an element can be is scrolled in bigger steps.
  scale() {
    const full = this.log.visible.length * row_height, height = Math.min(full, tallest);
    const room = Math.max(1, height - this.box.clientHeight);
    return { height, factor: full > tallest ? (full - this.box.clientHeight) / room : 1 };
  }

  draw() {
    const { height, factor } = this.scale(), log = this.log;
    this.sizer.style.height = height + "px";
    const top = this.box.scrollTop * factor, first = Math.max(0, Math.floor(top / row_height) - 8);
    const last = this.printing ? log.visible.length : Math.min(log.visible.length, first + Math.ceil(this.box.clientHeight / row_height) + 16);
    const begin = this.printing ? Math.max(0, last - 2000) : first;
    const rows = [];
    for (let at = begin; at < last; at += 1) rows.push(this.row(log.visible[at]));
    this.rows.replaceChildren(...rows);
    this.rows.style.transform = `translateY(${first * row_height - top + this.box.scrollTop}px)`;
    const lines = log.starts.length.toLocaleString("en");
    byId("log-size").textContent = log.length ? `${lines} lines, ${size(log.length)}${log.complete ? "" : " …"}` : log.complete ? "no log" : "…";
    byId("log-fold").textContent = log.sections.some(section => !section.folded) ? "Fold" : "Unfold";
    byId("log-fold").disabled = !log.sections.length;
  }

  row(line) {
    const { log } = this, section = log.begins.get(line);
    const classes = "row" + (section ? " section" : "") + (section?.folded ? " folded" : "");
    const content = make("span", { class: "t" }, ...this.pieces(line));
    const time = section?.took ? make("span", { class: "took" }, took(section.took)) : null;
    return make("div", { class: classes, "data-line": line }, make("span", { class: "no" }, String(line + 1)), content, time);
  }

  // The runs of a line, cut where what is searched for begins and ends.
  pieces(line) {
    const { runs: found } = runs(this.log.text(line), this.log.known[this.log.styles[line]] ?? plain_style);
    const whole = found.map(run => run.text).join("").toLowerCase(), needle = this.wanted.toLowerCase();
    const hits = [];
    for (let at = needle ? whole.indexOf(needle) : -1; at >= 0; at = whole.indexOf(needle, at + needle.length)) hits.push(at);
    const pieces = [], is_now = this.matches[this.match] === line;
    let offset = 0;
    for (const { text, style } of found) {
      let at = 0;
      while (at < text.length) {
        const here = offset + at;
        const hit = hits.find(hit => hit + needle.length > here);
        const inside = hit !== undefined && hit <= here;
        const until = hit === undefined ? text.length : Math.min(text.length, (inside ? hit + needle.length : hit) - offset);
        const piece = make(inside ? "mark" : "span", { class: inside && is_now ? "now" : "" }, ...nodes(text.slice(at, until)));
        paint(piece, style);
        pieces.push(piece);
        at = until;
      }
      offset += text.length;
    }
    return pieces;
  }

  async search() {
    const wanted = byId("log-search").value, log = this.log;
    Object.assign(this, { wanted, matches: [], match: -1 });
    const matches = this.matches, still = () => this.matches === matches;
    const say = done => { byId("log-found").textContent = wanted ? `${matches.length.toLocaleString("en")}${done ? "" : "…"} found` : ""; };
    say(false);
    if (wanted) {
      for await (const found of log.find(wanted, still)) {
        if (!still()) return;
        for (const line of found) matches.push(line);
        if (this.match < 0 && matches.length) this.go(1);
        else say(false);
      }
    }
    if (still()) { say(true); this.tell(); this.draw(); }
  }

  tell() {
    if (this.match >= 0) byId("log-found").textContent = `${(this.match + 1).toLocaleString("en")} of ${this.matches.length.toLocaleString("en")}`;
  }

  go(step) {
    if (!this.matches.length) return;
    this.match = this.match < 0 ? 0 : (this.match + step + this.matches.length) % this.matches.length;
    this.tell();
    this.bring(this.matches[this.match]);
  }

  // Brings a line into view.
  bring(line) {
    this.follows = false;
    this.log.reveal(line);
    const { height, factor } = this.scale();
    this.sizer.style.height = height + "px";
    this.box.scrollTop = Math.max(0, (this.log.position(line) * row_height - this.box.clientHeight / 3) / factor);
    this.draw();
    this.rows.querySelector("mark.now")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  edge(where) {
    this.follows = where === 1;
    this.box.scrollTop = where ? this.sizer.offsetHeight : 0;
    this.draw();
  }

  fold() {
    const folded = this.log.sections.some(section => !section.folded);
    for (const section of this.log.sections) section.folded = folded;
    this.log.refold();
    this.draw();
  }

  save() {
    const url = URL.createObjectURL(new Blob([this.log.bytes.subarray(0, this.log.length)], { type: "text/plain" }));
    make("a", { href: url, download: this.name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }
}

// The bytes of a trace: packed in this file, or asked of `podline report --serve`.
async function* packed(element) {
  const text = element.textContent, step = 1 << 20;
  const bytes = new ReadableStream({
    start() { this.at = 0; },
    pull(control) {
      if (this.at >= text.length) return control.close();
      const part = atob(text.slice(this.at, this.at += step)), chunk = new Uint8Array(part.length);
      for (let at = 0; at < part.length; at += 1) chunk[at] = part.charCodeAt(at);
      control.enqueue(chunk);
    },
  });
  yield* chunks(bytes.pipeThrough(new DecompressionStream("gzip")));
}

async function* chunks(stream) {
  const reader = stream.getReader();
  for (let part; !(part = await reader.read()).done; ) yield part.value;
}

// Fills a log from parts, drawing on the way; `still` is whether anybody looks.
async function fill(log, parts, still, grown) {
  let unread = 0;
  for await (const part of parts) {
    log.add(part);
    unread += part.length;
    if (unread >= slice || log.length < slice) {
      log.index(false);
      unread = 0;
      if (still()) grown();
      await pause();
    }
  }
}
