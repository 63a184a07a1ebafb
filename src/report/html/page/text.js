// Text of jobs is shown, never believed: it only ever becomes text nodes.

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter(child => child != null && child !== false));
  return element;
}

const byId = id => document.getElementById(id);

// As podline's own: 0.4s, 41s, 1m32s, 1h05m.
function took(seconds) {
  if (seconds < 9.95) return seconds.toFixed(1) + "s";
  const whole = Math.round(seconds), two = number => String(number).padStart(2, "0");
  if (whole < 60) return whole + "s";
  if (whole < 3600) return Math.floor(whole / 60) + "m" + two(whole % 60) + "s";
  return Math.floor(whole / 3600) + "h" + two(Math.floor(whole / 60) % 60) + "m";
}

function size(bytes) {
  const units = ["B", "KB", "MB", "GB"];
  let at = 0;
  while (bytes >= 1000 && at < 3) { bytes /= 1000; at += 1; }
  return (at && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)) + " " + units[at];
}

// Memory as podline's own: 412Mi, 1.5Gi.
function mebi(bytes) {
  const mebibytes = Math.ceil(bytes / 2 ** 20);
  if (mebibytes && mebibytes % 1024 === 0) return mebibytes / 1024 + "Gi";
  return mebibytes < 1000 ? mebibytes + "Mi" : (mebibytes / 1024).toFixed(1) + "Gi";
}

const artifacts_of = ({ artifacts, artifact_bytes: bytes }) => `${artifacts} artifact file${artifacts === 1 ? "" : "s"}` + (bytes ? ", " + size(bytes) : "");

// A quantity of Kubernetes as a number: 500m, 1Gi.
function quantity(text) {
  const [, number, unit] = /^([0-9.]+)([mkMGT]|[KMGT]i)?$/.exec(text ?? "") ?? [];
  if (number === undefined) return null;
  const powers = { m: [10, -3], k: [10, 3], M: [10, 6], G: [10, 9], T: [10, 12], Ki: [2, 10], Mi: [2, 20], Gi: [2, 30], Ti: [2, 40] };
  const [base, power] = powers[unit] ?? [1, 0];
  return Number(number) * base ** power;
}

// The pictures of the statuses: drawn, as not every machine's fonts have such characters.
const pictures = {
  waiting: [false, ""],
  running: [false, "M8 1.75A6.25 6.25 0 0 1 14.25 8"],
  success: [true, "M4.7 8.3l2.3 2.3 4.3-4.9"],
  failed: [true, "M5.4 5.4l5.2 5.2m0-5.2l-5.2 5.2"],
  warning: [true, "M8 4.2v4.6M8 11.4v.1"],
  retried: [false, "M10.9 6.3a3.4 3.4 0 1 0 .3 2.9M11.2 4.2v2.3H8.9"],
  canceled: [false, "M4.7 11.3l6.6-6.6"],
  skipped: [false, "M5 5.6L7.4 8 5 10.4M8.6 5.6L11 8l-2.4 2.4"],
  manual: [false, "M6.5 5.6v4.8M9.5 5.6v4.8"],
};
const looks = Object.keys(pictures);
const look = (status, allowed) => (status === "failed" && allowed ? "warning" : looks.includes(status) ? status : "waiting");
// What is said instead of the name of a status: of a run that was killed, nothing runs any more.
const words = new Map();
const word = (status, allowed) => (status === "failed" && allowed ? "failed, allowed" : words.get(status) ?? status);

function drawing(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function mark(status, allowed) {
  const name = look(status, allowed), [filled, path] = pictures[name];
  return drawing("svg", { class: `mark s-${name}` + (filled ? " filled" : ""), viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" },
    drawing("circle", { cx: 8, cy: 8, r: filled ? 7 : 6.25 }), drawing("path", { d: path }));
}

// A status in words, in its colour.
function pill(element, status, allowed, text = word(status, allowed)) {
  element.className = "pill s-" + look(status, allowed);
  element.replaceChildren(mark(status, allowed), text);
}

// Characters that would show as nothing, or turn the direction of what follows, are shown as what they are.
const odd = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;
const odds = new RegExp(odd.source, "g");
const name_of = character => "U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");

// Escape sequences: colours (CSI … m) mean something, all others are dropped.
const escapes = /\u001b\[([\u0030-\u003f]*)([\u0020-\u002f]*[\u0040-\u007e])|\u001b[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[()#][^]?|\u001b[^[\]PX^_()#]?|\u001b\[?|\u009b[\u0020-\u003f]*[\u0040-\u007e]?/g;

const plain_style = { fg: null, bg: null, bold: false, faint: false, italic: false, under: false, struck: false, inverse: false };

// What Select Graphic Rendition makes of a style.
function styled(style, parameters) {
  const codes = parameters.replaceAll(":", ";").split(";").map(code => (code === "" ? 0 : parseInt(code, 10)));
  let now = { ...style };
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at];
    if (code === 0) now = { ...plain_style };
    else if (code === 1) now.bold = true;
    else if (code === 2) now.faint = true;
    else if (code === 3) now.italic = true;
    else if (code === 4) now.under = true;
    else if (code === 7) now.inverse = true;
    else if (code === 9) now.struck = true;
    else if (code === 22) now.bold = now.faint = false;
    else if (code === 23) now.italic = false;
    else if (code === 24) now.under = false;
    else if (code === 27) now.inverse = false;
    else if (code === 29) now.struck = false;
    else if (code >= 30 && code <= 37) now.fg = code - 30;
    else if (code >= 90 && code <= 97) now.fg = code - 82;
    else if (code === 39) now.fg = null;
    else if (code >= 40 && code <= 47) now.bg = code - 40;
    else if (code >= 100 && code <= 107) now.bg = code - 92;
    else if (code === 49) now.bg = null;
    else if (code === 38 || code === 48) {
      const which = code === 38 ? "fg" : "bg";
      if (codes[at + 1] === 5) { now[which] = palette(codes[at + 2]); at += 2; }
      else if (codes[at + 1] === 2) { now[which] = rgb(codes[at + 2], codes[at + 3], codes[at + 4]); at += 4; }
    }
  }
  return now;
}

const byte = value => Math.max(0, Math.min(255, value | 0));
const rgb = (red, green, blue) => `rgb(${byte(red)} ${byte(green)} ${byte(blue)})`;
function palette(index) {
  if (!(index >= 0 && index <= 255)) return null;
  if (index < 16) return index;
  if (index >= 232) { const grey = 8 + (index - 232) * 10; return rgb(grey, grey, grey); }
  const step = value => (value ? 55 + value * 40 : 0), cube = index - 16;
  return rgb(step(Math.floor(cube / 36)), step(Math.floor(cube / 6) % 6), step(cube % 6));
}

// A line as runs of one style each, and the style that the next line begins with.
function runs(line, style) {
  // What a carriage return goes back over is no more to be seen; a colour set there stays.
  const shown = line.lastIndexOf("\r") + 1, found = [];
  let at = 0, now = style;
  const take = (from, to) => { if (to > Math.max(from, shown)) found.push({ text: line.slice(Math.max(from, shown), to), style: now }); };
  escapes.lastIndex = 0;
  for (let match; (match = escapes.exec(line)); ) {
    take(at, match.index);
    if (match[2] === "m" && !/[<=>?]/.test(match[1])) now = styled(now, match[1]);
    at = match.index + match[0].length;
  }
  take(at, line.length);
  return { runs: found, style: now };
}

const bare = line => line.slice(line.lastIndexOf("\r") + 1).replace(escapes, "");

function paint(element, style) {
  let { fg, bg } = style;
  if (style.inverse) [fg, bg] = [bg ?? "var(--log)", fg ?? "var(--log-text)"];
  const color = value => (typeof value === "number" ? `var(--a${value})` : value);
  if (fg != null) element.style.color = color(fg);
  if (bg != null) element.style.backgroundColor = color(bg);
  for (const name of ["bold", "faint", "italic", "under", "struck"]) if (style[name]) element.classList.add(name);
}

// Text nodes of a text, its odd characters shown by name.
function* nodes(text) {
  if (!odd.test(text)) { yield text; return; }
  let at = 0;
  for (const match of text.matchAll(odds)) {
    if (match.index > at) yield text.slice(at, match.index);
    yield make("span", { class: "odd" }, name_of(match[0]));
    at = match.index + 1;
  }
  if (at < text.length) yield text.slice(at);
}
