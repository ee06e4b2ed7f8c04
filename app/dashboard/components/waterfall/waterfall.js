// A waterfall of spans on a canvas. Only visible rows are drawn, so 50,000 spans scroll like 50.
// Span names are untrusted: they reach the page through fillText and textContent only.

const ROW = 22, AXIS = 24, HEIGHT = 640, LARGE = 400, MAP = 42, RANK = 46, RED = "#c8102e";
const ODD = /[\u0000-\u001f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const root = parentElement.querySelector(".ob-waterfall");
  if (root.dataset.revision === data.revision && root.view) { root.view.draw(); return; }
  root.dataset.revision = data.revision;
  root.replaceChildren();
  root.view = new Waterfall(root, data, (id) => setStateValue("selected", id));
  return () => root.view.close();
}

class Waterfall {
  constructor(root, data, choose) {
    const spans = columns(data.spans), path = columns(data.path);
    Object.assign(this, { root, data, spans, path, choose, selected: -1, hovered: -1, low: 0, high: data.total, onlyPath: false, query: "" });
    this.count = spans.id.length;
    this.first = new Int32Array(this.count).fill(-1); // first child and next sibling, in the order of rows
    this.next = new Int32Array(this.count).fill(-1);
    const last = new Int32Array(this.count).fill(-1);
    for (let row = 0; row < this.count; row++) {
      const up = spans.parent[row];
      if (up < 0) continue;
      if (last[up] < 0) this.first[up] = row; else this.next[last[up]] = row;
      last[up] = row;
    }
    this.critical = new Float64Array(this.count);
    this.below = new Uint8Array(this.count); // has a part of the critical path, or something below it has
    path.row.forEach((row, i) => { this.critical[row] += path.end[i] - path.start[i]; });
    for (let row = this.count - 1; row >= 0; row--) {
      if (this.critical[row] > 0) this.below[row] = 1;
      if (this.below[row] && spans.parent[row] >= 0) this.below[spans.parent[row]] = 1;
    }
    this.folded = new Set();
    if (this.count > LARGE) this.foldFrom(2);
    this.build();
    this.arrange();
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(root);
    root.setAttribute("data-ready", "waterfall");
    root.setAttribute("data-spans", String(this.count));
  }

  foldFrom(depth) {
    for (let row = 0; row < this.count; row++) if (this.spans.depth[row] >= depth && this.first[row] >= 0) this.folded.add(row);
  }

  build() {
    const bar = element("div", "ob-tools");
    this.search = element("input");
    Object.assign(this.search, { type: "search", placeholder: "Search ( / )" });
    this.search.setAttribute("aria-label", "Search spans by service, name or id");
    this.search.addEventListener("input", () => this.find(this.search.value));
    this.search.addEventListener("keydown", (event) => { if (event.key === "Enter") this.toNext(); event.stopPropagation(); });
    this.pathButton = this.button(bar, "Critical path only (c)", () => this.togglePath());
    this.button(bar, "Expand all", () => { this.folded.clear(); this.arrange(); });
    this.button(bar, "Fold", () => { this.foldFrom(1); this.arrange(); });
    this.button(bar, "Reset zoom (0)", () => this.look(0, this.data.total));
    this.copied = this.button(bar, "Copy link", () => this.copy());
    bar.prepend(this.search);
    this.said = element("span", "ob-said");
    this.said.setAttribute("aria-live", "polite");
    bar.append(this.said);
    const legend = element("div", "ob-legend");
    this.data.stages.forEach((stage, i) => {
      const item = element("span"), swatch = element("i");
      swatch.style.background = this.data.colours[i];
      item.append(swatch, `${stage} ${this.data.shares[i]}`);
      legend.append(item);
    });
    const key = element("span", "ob-key");
    key.textContent = "Thick line: critical path, dashed between services. Hatched: nothing runs below. Thin line above a bar: its typical duration. Wedge: first token.";
    legend.append(key);
    this.map = element("canvas", "ob-map");
    this.map.setAttribute("aria-hidden", "true");
    this.view = element("div", "ob-view");
    this.view.tabIndex = 0;
    this.view.setAttribute("role", "application");
    this.view.setAttribute("aria-label", `Waterfall of ${this.count} spans. Arrow keys move and fold, Enter shows details, plus and minus zoom, c shows the critical path only`);
    this.canvas = element("canvas");
    this.space = element("div");
    this.tip = element("div", "ob-tip");
    this.view.append(this.canvas, this.space);
    this.root.append(bar, legend, this.map, this.view, this.tip);
    this.view.addEventListener("scroll", () => this.draw());
    this.canvas.addEventListener("mousemove", (event) => this.hover(event));
    this.canvas.addEventListener("mouseleave", () => { this.hovered = -1; this.tip.style.display = "none"; this.draw(); });
    this.canvas.addEventListener("mousedown", (event) => this.drag(event));
    this.canvas.addEventListener("click", (event) => this.click(event));
    this.canvas.addEventListener("dblclick", (event) => this.zoomTo(this.rowAt(event)));
    this.view.addEventListener("keydown", (event) => this.key(event));
    this.view.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.map.addEventListener("mousedown", (event) => this.choosePart(event));
  }

  button(bar, text, act) {
    const made = element("button");
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", act);
    bar.append(made);
    return made;
  }

  copy() {
    const done = () => { this.copied.textContent = "Copied"; setTimeout(() => { this.copied.textContent = "Copy link"; }, 1500); };
    navigator.clipboard?.writeText(window.location.href).then(done, () => { this.copied.textContent = "Copy the address bar"; });
  }

  togglePath() {
    this.onlyPath = !this.onlyPath;
    this.pathButton.setAttribute("aria-pressed", String(this.onlyPath));
    this.arrange();
  }

  find(query) {
    this.query = query.trim().toLowerCase();
    const { spans } = this;
    this.hits = [];
    if (this.query) {
      for (let row = 0; row < this.count; row++) {
        if (spans.label[row].toLowerCase().includes(this.query) || spans.id[row] === this.query) this.hits.push(row);
      }
      for (const hit of this.hits.slice(0, 2000)) for (let up = spans.parent[hit]; up >= 0; up = spans.parent[up]) this.folded.delete(up);
    }
    this.found = -1;
    this.arrange();
    if (this.hits.length) this.toNext();
  }

  toNext() {
    if (!this.hits || !this.hits.length) return;
    this.found = (this.found + 1) % this.hits.length;
    this.hovered = this.hits[this.found];
    this.reveal(this.hovered);
    this.say();
  }

  reveal(row) {
    const place = this.placeOf[row];
    if (place < 0) return;
    const y = place * ROW;
    if (y < this.view.scrollTop || y + ROW > this.view.scrollTop + this.height - AXIS) this.view.scrollTop = Math.max(0, y - this.height / 2);
    this.draw();
  }

  say() {
    const shown = this.rows.length === this.count ? "" : `${this.rows.length.toLocaleString("en")} of `;
    const hits = this.query ? `${this.hits.length.toLocaleString("en")} found · ` : "";
    this.said.textContent = `${hits}${shown}${this.count.toLocaleString("en")} spans`;
  }

  // Which rows are shown, at which place, and for those that are not, which row stands for them.
  arrange() {
    const { depth, parent } = this.spans;
    this.rows = [];
    this.placeOf = new Int32Array(this.count).fill(-1);
    this.standsFor = new Int32Array(this.count);
    let hiddenBelow = Infinity;
    for (let row = 0; row < this.count; row++) {
      this.standsFor[row] = parent[row] >= 0 ? this.standsFor[parent[row]] : row;
      if (depth[row] > hiddenBelow || (this.onlyPath && !this.below[row])) continue;
      hiddenBelow = this.folded.has(row) ? depth[row] : Infinity;
      this.standsFor[row] = row;
      this.placeOf[row] = this.rows.length;
      this.rows.push(row);
    }
    const wanted = this.rows.length * ROW + AXIS;
    this.height = Math.min(HEIGHT, wanted + 6);
    this.view.style.height = `${this.height}px`;
    this.space.style.height = `${Math.max(0, wanted - this.height)}px`;
    this.say();
    this.draw();
  }

  get left() { return Math.min(380, Math.max(110, this.width * 0.34)); }
  get right() { return this.width - RANK - 58; }
  x(ns) { return this.left + ((ns - this.low) / (this.high - this.low)) * (this.right - this.left); }
  at(x) { return this.low + ((x - this.left) / (this.right - this.left)) * (this.high - this.low); }

  look(low, high) {
    const length = Math.min(this.data.total, Math.max(1000, high - low));
    this.low = Math.max(0, Math.min(this.data.total - length, low));
    this.high = this.low + length;
    this.draw();
  }

  zoomTo(row) {
    if (row < 0) return this.look(0, this.data.total);
    const { start, end } = this.spans, room = Math.max(1000, (end[row] - start[row]) * 0.08);
    this.look(start[row] - room, end[row] + room);
  }

  draw() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => { this.pending = 0; this.paint(); });
  }

  ready(canvas, height) {
    const scale = window.devicePixelRatio || 1, w = Math.round(this.width * scale), h = Math.round(height * scale);
    if (canvas.width !== w || canvas.height !== h) {
      Object.assign(canvas, { width: w, height: h });
      Object.assign(canvas.style, { width: `${this.width}px`, height: `${height}px` });
    }
    const c = canvas.getContext("2d");
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.globalAlpha = 1;
    c.fillStyle = this.paper;
    c.fillRect(0, 0, this.width, height);
    c.font = `12px ${this.font}`;
    c.textBaseline = "middle";
    return c;
  }

  paint() {
    this.width = this.view.clientWidth;
    if (!this.width) return;
    const style = getComputedStyle(this.root);
    this.ink = style.color;
    this.font = style.fontFamily;
    this.paper = style.getPropertyValue("--st-background-color").trim() || "#fff";
    const c = this.ready(this.canvas, this.height), top = this.view.scrollTop;
    const from = Math.max(0, Math.floor(top / ROW)), to = Math.min(this.rows.length, Math.ceil((top + this.height) / ROW));
    const hit = new Set(this.query ? this.hits : []);
    for (let i = from; i < to; i++) {
      const row = this.rows[i], y = AXIS + i * ROW - top;
      const shade = row === this.selected ? 0.14 : row === this.hovered ? 0.08 : hit.has(row) ? 0.05 : 0;
      if (shade) { c.globalAlpha = shade; c.fillStyle = hit.has(row) ? "#2563a8" : this.ink; c.fillRect(0, y, this.width, ROW); c.globalAlpha = 1; }
      this.label(c, row, y);
      this.bar(c, row, y);
      this.rank(c, row, y);
    }
    this.drawPath(c, top);
    this.axis(c);
    this.spent(c);
    this.paintMap();
  }

  label(c, row, y) {
    const { spans } = this, indent = 6 + Math.min(spans.depth[row], 14) * 10;
    c.save();
    c.beginPath();
    c.rect(0, y, this.left - 8, ROW);
    c.clip();
    c.fillStyle = spans.failed[row] ? RED : this.ink;
    if (this.first[row] >= 0) triangle(c, indent, y + ROW / 2, this.folded.has(row));
    const signs = (spans.failed[row] ? "✕ " : "") + (spans.retry[row] ? "↻ " : "");
    const label = spans.label[row].replace(ODD, " "), narrow = this.left < 200; // there, the operation matters more than its service
    c.fillText(signs + (narrow ? label.slice(label.indexOf(": ") + 2) : label) + (spans.mark[row] ? `  ${spans.mark[row]}` : ""), indent + 9, y + ROW / 2);
    c.restore();
  }

  bar(c, row, y) {
    const { spans } = this, x0 = this.x(spans.start[row]), x1 = Math.max(this.x(spans.end[row]), x0 + 1.5);
    c.save();
    c.beginPath();
    c.rect(this.left, y, this.right - this.left, ROW);
    c.clip();
    c.fillStyle = this.data.colours[spans.stage[row]];
    c.fillRect(x0, y + 5, x1 - x0, ROW - 11);
    if (x1 - x0 > 6) this.gaps(c, row, y);
    if (spans.failed[row]) { c.strokeStyle = RED; c.lineWidth = 1.5; c.strokeRect(x0, y + 5, x1 - x0, ROW - 11); }
    if (spans.typical[row] > 0) {
      const typical = this.x(spans.start[row] + spans.typical[row]);
      c.strokeStyle = this.ink;
      c.globalAlpha = 0.55;
      c.lineWidth = 1;
      c.setLineDash([2, 2]);
      c.beginPath();
      c.moveTo(typical, y + 2); c.lineTo(typical, y + ROW - 3);
      c.stroke();
      c.setLineDash([]);
      c.globalAlpha = 0.3; // the ghost of a typical span, from where this one begins
      c.fillRect(x0, y + 2, typical - x0, 2);
      c.globalAlpha = 1;
    }
    if (spans.first[row] >= 0) {
      const at = this.x(spans.start[row] + spans.first[row]);
      c.fillStyle = this.ink;
      c.beginPath();
      c.moveTo(at - 4, y + 1); c.lineTo(at + 4, y + 1); c.lineTo(at, y + 6);
      c.fill();
      c.fillStyle = this.paper;
      c.fillRect(at - 0.75, y + 5, 1.5, ROW - 11);
    }
    c.restore();
    c.fillStyle = this.ink;
    c.globalAlpha = 0.75;
    const text = spans.duration[row], width = c.measureText(text).width;
    const at = x1 + 6 + width < this.width - RANK ? Math.max(x1 + 6, this.left) : Math.max(this.left, x0 - width - 6);
    if (x1 >= this.left && x0 <= this.right) c.fillText(text, at, y + ROW / 2 - 1);
    c.globalAlpha = 1;
  }

  // Where nothing below a span runs although something does before or after.
  gaps(c, row, y) {
    const { start, end } = this.spans;
    let reached = start[row];
    const quiet = [];
    for (let child = this.first[row]; child >= 0; child = this.next[child]) {
      if (start[child] > reached) quiet.push([reached, start[child]]);
      reached = Math.max(reached, end[child]);
    }
    if (this.first[row] < 0) return;
    if (end[row] > reached) quiet.push([reached, end[row]]);
    c.save();
    c.strokeStyle = this.paper;
    c.lineWidth = 1.5;
    for (const [a, b] of quiet) {
      const x0 = Math.max(this.x(a), this.left), x1 = Math.min(this.x(b), this.right);
      if (x1 - x0 < 4) continue;
      c.save();
      c.beginPath();
      c.rect(x0, y + 5, x1 - x0, ROW - 11);
      c.clip();
      c.beginPath();
      for (let x = x0 - ROW; x < x1; x += 6) { c.moveTo(x, y + ROW - 6); c.lineTo(x + ROW, y - 6 + 5); }
      c.stroke();
      c.restore();
    }
    c.restore();
  }

  rank(c, row, y) {
    const rank = this.spans.rank[row];
    if (!(rank >= 0)) return;
    c.fillStyle = this.ink;
    c.globalAlpha = rank >= 0.95 ? 1 : 0.5;
    c.font = `${rank >= 0.95 ? "600 " : ""}11px ${this.font}`;
    const text = `p${Math.min(99, Math.floor(rank * 100))}`;
    c.fillText(text, this.width - 8 - c.measureText(text).width, y + ROW / 2);
    c.font = `12px ${this.font}`;
    c.globalAlpha = 1;
  }

  // One line from the start to the end: along each segment, and up or down where the next one begins. Of lines that would fall
  // on the same pixels one is drawn; lines between rows that are both out of sight are faint, and few.
  drawPath(c, top) {
    const { path } = this, y = (row) => AXIS + this.placeOf[this.standsFor[row]] * ROW - top + ROW - 4;
    const outside = (at) => at < AXIS || at > this.height, crossed = [-99, -99, -99], drawn = new Map();
    c.save();
    c.beginPath();
    c.rect(this.left, AXIS, this.right - this.left, this.height);
    c.clip();
    c.strokeStyle = this.ink;
    let before = null;
    for (let i = 0; i < path.row.length; i++) {
      const row = this.standsFor[path.row[i]];
      if (path.end[i] < this.low || path.start[i] > this.high || this.placeOf[row] < 0) { before = null; continue; }
      const here = y(path.row[i]), a = this.x(path.start[i]), b = this.x(path.end[i]);
      if (before !== null && before.request === path.request[i] && Math.abs(before.y - here) > 1) {
        const ends = outside(before.y) + outside(here), apart = [0, 10, 16][ends];
        const passes = ends < 2 || before.y < AXIS !== here < AXIS;
        if (passes && a - crossed[ends] >= apart) {
          crossed[ends] = a;
          c.lineWidth = 1;
          c.globalAlpha = [0.55, 0.25, 0.15][ends];
          c.beginPath();
          c.moveTo(a, before.y); c.lineTo(a, here);
          c.stroke();
          c.globalAlpha = 1;
        }
      }
      before = { y: here, request: path.request[i] };
      if (outside(here) || (b - a < 0.75 && a - (drawn.get(row) ?? -9) < 0.75)) continue;
      drawn.set(row, b);
      c.lineWidth = 3;
      c.setLineDash(path.hop[i] ? [4, 3] : []);
      c.beginPath();
      c.moveTo(a, here); c.lineTo(Math.max(b, a + 0.75), here);
      c.stroke();
      c.setLineDash([]);
      if (this.folded.has(row)) { c.fillStyle = this.data.colours[path.stage[i]]; c.fillRect(a, here - ROW + 9, Math.max(0.75, b - a), ROW - 11); }
    }
    c.restore();
  }

  axis(c) {
    c.fillStyle = this.paper;
    c.fillRect(0, 0, this.width, AXIS);
    c.fillStyle = this.ink;
    const span = this.high - this.low, step = niceStep(span / Math.max(2, Math.floor((this.right - this.left) / 110)));
    for (let t = Math.ceil(this.low / step) * step; t <= this.high; t += step) {
      const x = this.x(t);
      c.globalAlpha = 0.12;
      c.fillRect(x, AXIS, 1, this.height);
      c.globalAlpha = 0.75;
      c.fillText(time(t, step), x + 3, AXIS / 2);
    }
    c.font = `11px ${this.font}`;
    const text = "rank";
    c.fillText(text, this.width - 8 - c.measureText(text).width, AXIS / 2);
    c.font = `12px ${this.font}`;
    c.globalAlpha = 1;
  }

  // Where a request has spent its cap: a dotted red line over all rows.
  spent(c) {
    c.save();
    c.strokeStyle = c.fillStyle = RED;
    c.lineWidth = 1.5;
    c.setLineDash([2, 3]);
    this.data.spent.forEach((at, i) => {
      if (at < this.low || at > this.high) return;
      const x = this.x(at), text = this.data.caps[i], room = c.measureText(text).width + 8;
      c.beginPath();
      c.moveTo(x, AXIS);
      c.lineTo(x, this.height);
      c.stroke();
      const from = x + room > this.right ? x - room : x;
      c.fillStyle = this.paper;
      c.fillRect(from, 0, room, AXIS);
      c.fillStyle = RED;
      c.fillText(text, from + 4, AXIS / 2);
    });
    c.restore();
  }

  // The whole trace: how many spans run, the critical path by stage, and the part in sight.
  paintMap() {
    const c = this.ready(this.map, MAP), left = this.left, width = this.right - left, { data } = this;
    const n = Math.max(1, Math.round(width));
    if (!this.active || this.active.length !== n) { this.countActive(n); this.countPath(n); }
    c.fillStyle = this.ink;
    c.globalAlpha = 0.6;
    c.font = `11px ${this.font}`;
    c.fillText("spans that run", 6, 11);
    c.fillText("critical path", 6, 32);
    c.globalAlpha = 0.3;
    this.active.forEach((running, i) => { const h = (running / this.most) * 20; c.fillRect(left + i, 22 - h, 1, h); });
    c.globalAlpha = 1;
    this.pathShares.forEach((share, stage) => {
      c.fillStyle = data.colours[stage];
      for (let i = 0; i < n; i++) if (share[i] > 0) c.fillRect(left + i, 26 + 11 * this.pathBelow[stage][i], 1, 11 * share[i]);
    });
    const a = left + (this.low / data.total) * width, b = left + (this.high / data.total) * width;
    c.strokeStyle = this.ink;
    c.strokeRect(a + 0.5, 0.5, Math.max(3, b - a - 1), MAP - 2);
  }

  // How many spans run in each of `n` parts of the trace.
  countActive(n) {
    const { spans, data } = this, change = new Int32Array(n + 1);
    for (let row = 0; row < this.count; row++) {
      change[Math.min(n - 1, Math.floor((spans.start[row] / data.total) * n))] += 1;
      change[Math.min(n, Math.floor((spans.end[row] / data.total) * n) + 1)] -= 1;
    }
    this.active = new Int32Array(n);
    for (let i = 0, sum = 0; i < n; i++) this.active[i] = sum += change[i];
    this.most = this.active.reduce((a, b) => Math.max(a, b), 1);
  }

  // Each stage's share of the critical path in each of `n` parts of the trace, and the shares of the stages before it.
  countPath(n) {
    const { path, data } = this, part = data.total / n, whole = new Float64Array(n);
    this.pathShares = data.stages.map(() => new Float64Array(n));
    path.row.forEach((_, i) => {
      const share = this.pathShares[path.stage[i]], last = Math.min(n - 1, Math.floor(path.end[i] / part));
      for (let at = Math.floor(path.start[i] / part); at <= last; at++) {
        const own = (Math.min(path.end[i], (at + 1) * part) - Math.max(path.start[i], at * part)) / part;
        share[at] += own;
        whole[at] += own;
      }
    });
    const below = new Float64Array(n);
    this.pathBelow = this.pathShares.map((share) => {
      const begins = below.slice();
      for (let i = 0; i < n; i++) { share[i] /= Math.max(1, whole[i]); below[i] += share[i]; }
      return begins;
    });
  }

  choosePart(event) {
    const total = this.data.total, width = this.right - this.left, box = this.map.getBoundingClientRect();
    const ns = (e) => Math.min(total, Math.max(0, ((e.clientX - box.left - this.left) / width) * total));
    const begun = ns(event), low = this.low, high = this.high, pan = begun > low && begun < high && high - low < total * 0.98;
    const move = (e) => pan ? this.look(low + ns(e) - begun, high + ns(e) - begun) : Math.abs(ns(e) - begun) > total / 500 && this.look(Math.min(begun, ns(e)), Math.max(begun, ns(e)));
    this.follow(event, move);
  }

  drag(event) {
    if (event.offsetX < this.left || this.high - this.low >= this.data.total) return;
    const low = this.low, high = this.high, perPixel = (high - low) / (this.right - this.left);
    this.follow(event, (e) => this.look(low - (e.clientX - event.clientX) * perPixel, high - (e.clientX - event.clientX) * perPixel));
  }

  follow(event, move) {
    event.preventDefault();
    this.view.focus({ preventScroll: true });
    const stop = () => { window.removeEventListener("mousemove", move); window.removeEventListener("mouseup", stop); };
    window.addEventListener("mousemove", move);
    window.addEventListener("mouseup", stop);
  }

  rowAt(event) {
    const y = event.offsetY - AXIS + this.view.scrollTop;
    return event.offsetY < AXIS ? -1 : this.rows[Math.floor(y / ROW)] ?? -1;
  }

  hover(event) {
    const { spans, data } = this, row = this.rowAt(event);
    if (row !== this.hovered) { this.hovered = row; this.draw(); }
    if (row < 0) { this.tip.style.display = "none"; return; }
    const own = this.critical[row], typical = spans.typical[row];
    this.tip.textContent = [spans.label[row].replace(ODD, " "), `${spans.duration[row]}, ${data.stages[spans.stage[row]]}`,
      own ? `${time(own, own / 100)} on the critical path` : "not on the critical path",
      spans.hop[row] ? `passing to ${spans.hop[row].replace(ODD, " ")}` : "",
      spans.first[row] >= 0 ? `first token after ${time(spans.first[row], spans.first[row] / 100)}` : "",
      typical > 0 ? `typically ${time(typical, typical / 100)}; longer than ${Math.floor(spans.rank[row] * 100)} % of its like` : "",
      spans.note[row]].filter(Boolean).join("\n");
    this.tip.style.display = "block";
    const box = this.root.getBoundingClientRect();
    this.tip.style.left = `${Math.max(0, Math.min(event.clientX - box.left + 14, box.width - this.tip.offsetWidth - 4))}px`;
    this.tip.style.top = `${event.clientY - box.top + 14}px`;
  }

  click(event) {
    const row = this.rowAt(event);
    if (row < 0) return;
    const indent = 6 + Math.min(this.spans.depth[row], 14) * 10;
    if (this.first[row] >= 0 && event.offsetX > indent - 10 && event.offsetX < indent + 9) this.fold(row);
    else this.select(row);
  }

  fold(row) {
    if (!this.folded.delete(row)) this.folded.add(row);
    this.arrange();
  }

  select(row) {
    this.selected = row;
    this.draw();
    this.choose(this.spans.id[row]);
  }

  key(event) {
    const place = Math.max(0, this.placeOf[this.hovered >= 0 ? this.hovered : Math.max(0, this.selected)]);
    const move = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -1e9, End: 1e9 }[event.key];
    const row = this.rows[place], middle = (this.low + this.high) / 2, half = (this.high - this.low) / 2;
    if (move) {
      this.hovered = this.rows[Math.min(this.rows.length - 1, Math.max(0, place + move))];
      const y = this.placeOf[this.hovered] * ROW;
      if (y < this.view.scrollTop) this.view.scrollTop = y;
      if (y + ROW > this.view.scrollTop + this.height - AXIS) this.view.scrollTop = y + ROW - this.height + AXIS;
      this.draw();
    } else if (event.key === "Enter") this.select(row);
    else if (event.key === "ArrowLeft" && this.first[row] >= 0 && !this.folded.has(row)) this.fold(row);
    else if (event.key === "ArrowRight" && this.folded.has(row)) this.fold(row);
    else if (event.key === "+" || event.key === "=") this.look(middle - half * 0.7, middle + half * 0.7);
    else if (event.key === "-") this.look(middle - half / 0.7, middle + half / 0.7);
    else if (event.key === "z") this.zoomTo(row);
    else if (event.key === "0" || event.key === "Escape") this.look(0, this.data.total);
    else if (event.key === "c") this.togglePath();
    else if (event.key === "n") this.toNext();
    else if (event.key === "/") this.search.focus();
    else return;
    event.preventDefault();
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey && !event.shiftKey) return;
    event.preventDefault();
    const span = this.high - this.low;
    if (event.shiftKey) return this.look(this.low + ((event.deltaY || event.deltaX) / 600) * span, this.high + ((event.deltaY || event.deltaX) / 600) * span);
    const share = Math.min(1, Math.max(0, (event.offsetX - this.left) / (this.right - this.left)));
    const next = Math.min(this.data.total, Math.max(1000, span * (event.deltaY > 0 ? 1.25 : 0.8)));
    const low = this.low + (span - next) * share;
    this.look(low, low + next);
  }

  close() {
    this.observer.disconnect();
    if (this.pending) cancelAnimationFrame(this.pending);
  }
}

// The columns of an Arrow table as arrays.
function columns(table) {
  return Object.fromEntries(table.schema.fields.map((field) => [field.name, table.getChild(field.name).toArray()]));
}

// Folded points to the right, unfolded down.
function triangle(c, x, y, folded) {
  c.beginPath();
  if (folded) { c.moveTo(x - 2, y - 4); c.lineTo(x + 3, y); c.lineTo(x - 2, y + 4); }
  else { c.moveTo(x - 4, y - 2.5); c.lineTo(x + 4, y - 2.5); c.lineTo(x, y + 3); }
  c.fill();
}

function element(tag, name) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  return made;
}

function niceStep(raw) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, raw)));
  return [1, 2, 5, 10].map((m) => m * power).find((step) => step >= raw) || power;
}

function time(ns, step) {
  const [unit, size] = step >= 1e8 || ns >= 1e9 ? ["s", 1e9] : step >= 1e3 * 100 || ns >= 1e6 ? ["ms", 1e6] : ["µs", 1e3];
  const digits = Math.max(0, Math.min(3, Math.ceil(-Math.log10(step / size))));
  return `${(ns / size).toFixed(digits)} ${unit}`;
}
