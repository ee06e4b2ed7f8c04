// A waterfall of spans on a canvas. Only rows in sight are drawn, so 50 and 50,000 spans scroll alike.
// Span names are untrusted: they reach the page through fillText and textContent only.

const ROW = 22, AXIS = 24, HEIGHT = 520, LARGE = 400;

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const root = parentElement.querySelector(".ob-waterfall");
  if (root.dataset.revision === data.revision && root.view) { root.view.draw(); return; }
  root.dataset.revision = data.revision;
  root.replaceChildren();
  const view = new Waterfall(root, data, (id) => setStateValue("selected", id));
  root.view = view;
  return () => view.close();
}

class Waterfall {
  constructor(root, data, choose) {
    Object.assign(this, { root, data, choose, selected: -1, hovered: -1, low: 0, high: data.total });
    const count = data.id.length;
    this.children = Array.from({ length: count }, () => 0);
    for (const parent of data.parent) if (parent >= 0) this.children[parent] += 1;
    this.folded = new Set();
    if (count > LARGE) for (let row = 0; row < count; row++) if (data.depth[row] >= 2 && this.children[row]) this.folded.add(row);
    this.segments = new Map();
    data.segment_row.forEach((row, i) => {
      if (!this.segments.has(row)) this.segments.set(row, []);
      this.segments.get(row).push(i);
    });
    this.build();
    this.arrange();
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(root);
    root.setAttribute("data-ready", "waterfall");
    root.setAttribute("data-spans", String(count));
  }

  build() {
    const legend = element("div", "ob-legend");
    this.data.stages.forEach((stage, i) => {
      const item = element("span");
      const swatch = element("i");
      swatch.style.background = this.data.colours[i];
      item.append(swatch, stage);
      legend.append(item);
    });
    const critical = element("span");
    critical.textContent = "black line: critical path";
    legend.append(critical);
    this.view = element("div", "ob-view");
    this.view.tabIndex = 0;
    this.view.setAttribute("role", "img");
    this.view.setAttribute("aria-label", `Waterfall of ${this.data.id.length} spans; arrow keys move, Enter chooses, left and right fold`);
    this.canvas = element("canvas");
    this.space = element("div");
    this.tip = element("div", "ob-tip");
    this.view.append(this.canvas, this.space);
    this.root.append(legend, this.view, this.tip);
    this.view.addEventListener("scroll", () => this.draw());
    this.canvas.addEventListener("mousemove", (event) => this.hover(event));
    this.canvas.addEventListener("mouseleave", () => { this.hovered = -1; this.tip.style.display = "none"; this.draw(); });
    this.canvas.addEventListener("click", (event) => this.click(event));
    this.view.addEventListener("keydown", (event) => this.key(event));
    this.view.addEventListener("wheel", (event) => this.zoom(event), { passive: false });
    this.canvas.addEventListener("dblclick", () => { this.low = 0; this.high = this.data.total; this.draw(); });
  }

  arrange() {
    const { depth } = this.data;
    this.rows = [];
    let hiddenBelow = Infinity;
    for (let row = 0; row < depth.length; row++) {
      if (depth[row] > hiddenBelow) continue;
      hiddenBelow = this.folded.has(row) ? depth[row] : Infinity;
      this.rows.push(row);
    }
    const wanted = this.rows.length * ROW + AXIS;
    this.height = Math.min(HEIGHT, wanted + 4);
    this.view.style.height = `${this.height}px`;
    this.space.style.height = `${Math.max(0, wanted - this.height)}px`;
    this.draw();
  }

  get labelWidth() { return Math.min(360, Math.max(110, this.width * 0.34)); }

  x(ns) { return this.labelWidth + ((ns - this.low) / (this.high - this.low)) * (this.width - this.labelWidth - 64); }

  draw() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => { this.pending = 0; this.paint(); });
  }

  paint() {
    const { data, canvas } = this;
    const scale = window.devicePixelRatio || 1;
    this.width = this.view.clientWidth;
    if (!this.width) return;
    if (canvas.width !== Math.round(this.width * scale) || canvas.height !== Math.round(this.height * scale)) {
      canvas.width = Math.round(this.width * scale);
      canvas.height = Math.round(this.height * scale);
      canvas.style.width = `${this.width}px`;
      canvas.style.height = `${this.height}px`;
    }
    const style = getComputedStyle(this.root);
    const ink = style.color, paper = style.getPropertyValue("--st-background-color") || "#fff";
    const c = canvas.getContext("2d");
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.fillStyle = paper;
    c.fillRect(0, 0, this.width, this.height);
    c.font = `12px ${style.fontFamily}`;
    c.textBaseline = "middle";
    const top = this.view.scrollTop, left = this.labelWidth, right = this.width - 64;
    const first = Math.max(0, Math.floor(top / ROW)), last = Math.min(this.rows.length, Math.ceil((top + this.height) / ROW));
    for (let i = first; i < last; i++) {
      const row = this.rows[i], y = AXIS + i * ROW - top;
      if (row === this.selected || row === this.hovered) {
        c.globalAlpha = row === this.selected ? 0.14 : 0.07;
        c.fillStyle = ink;
        c.fillRect(0, y, this.width, ROW);
        c.globalAlpha = 1;
      }
      this.label(c, row, y, left, ink);
      this.bar(c, row, y, left, right, ink);
    }
    this.axis(c, left, right, ink, paper);
  }

  label(c, row, y, left, ink) {
    const { data } = this, indent = 6 + Math.min(data.depth[row], 14) * 10;
    c.save();
    c.beginPath();
    c.rect(0, y, left - 8, ROW);
    c.clip();
    c.fillStyle = data.failed[row] ? "#c8102e" : ink;
    if (this.children[row]) c.fillText(this.folded.has(row) ? "▸" : "▾", indent - 4, y + ROW / 2);
    c.fillText((data.failed[row] ? "✕ " : "") + data.label[row].replace(/[\u0000-\u001f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, " "), indent + 9, y + ROW / 2);
    c.restore();
  }

  bar(c, row, y, left, right, ink) {
    const { data } = this, x0 = this.x(data.start[row]), x1 = Math.max(this.x(data.end[row]), x0 + 1.5);
    c.save();
    c.beginPath();
    c.rect(left, y, right - left, ROW);
    c.clip();
    c.fillStyle = data.colours[data.stage[row]];
    c.fillRect(x0, y + 5, x1 - x0, ROW - 11);
    c.fillStyle = ink;
    let reached = -1;
    for (const i of this.segments.get(row) || []) {
      const a = Math.max(this.x(data.segment_start[i]), reached), b = Math.max(this.x(data.segment_end[i]), a + 0.75);
      c.fillRect(a, y + ROW - 6, b - a, 3);
      reached = b;
    }
    c.restore();
    c.fillStyle = ink;
    c.globalAlpha = 0.75;
    const width = c.measureText(data.duration[row]).width;
    const at = x1 + 6 + width < this.width - 4 ? Math.max(x1 + 6, left) : Math.max(left, x0 - width - 6);
    if (x1 >= left && x0 <= right) c.fillText(data.duration[row], at, y + ROW / 2 - 1);
    c.globalAlpha = 1;
  }

  axis(c, left, right, ink, paper) {
    c.fillStyle = paper;
    c.fillRect(0, 0, this.width, AXIS);
    c.fillStyle = ink;
    const span = this.high - this.low, step = niceStep(span / Math.max(2, Math.floor((right - left) / 110)));
    for (let t = Math.ceil(this.low / step) * step; t <= this.high; t += step) {
      const x = this.x(t);
      c.globalAlpha = 0.12;
      c.fillRect(x, AXIS, 1, this.height);
      c.globalAlpha = 0.7;
      c.fillText(time(t, step), x + 3, AXIS / 2);
    }
    c.globalAlpha = 1;
  }

  rowAt(event) {
    const y = event.offsetY - AXIS + this.view.scrollTop;
    return event.offsetY < AXIS ? -1 : this.rows[Math.floor(y / ROW)] ?? -1;
  }

  hover(event) {
    const { data } = this, row = this.rowAt(event);
    if (row !== this.hovered) { this.hovered = row; this.draw(); }
    if (row < 0) { this.tip.style.display = "none"; return; }
    const own = (this.segments.get(row) || []).reduce((sum, i) => sum + data.segment_end[i] - data.segment_start[i], 0);
    const hops = [...new Set((this.segments.get(row) || []).map((i) => data.segment_hop[i]).filter(Boolean))];
    this.tip.textContent = [data.label[row], `${data.duration[row]}, ${data.stages[data.stage[row]]}`,
      own ? `${time(own, own / 100)} on the critical path` : "not on the critical path",
      hops.length ? `passing to ${hops.join(", ")}` : ""].filter(Boolean).join("\n");
    this.tip.style.display = "block";
    const box = this.root.getBoundingClientRect();
    const x = event.clientX - box.left + 14, y = event.clientY - box.top + 14;
    this.tip.style.left = `${Math.max(0, Math.min(x, box.width - this.tip.offsetWidth - 4))}px`;
    this.tip.style.top = `${y}px`;
  }

  click(event) {
    const row = this.rowAt(event);
    if (row < 0) return;
    const indent = 6 + Math.min(this.data.depth[row], 14) * 10;
    if (this.children[row] && event.offsetX > indent - 10 && event.offsetX < indent + 9) this.fold(row);
    else this.select(row);
  }

  fold(row) {
    if (!this.folded.delete(row)) this.folded.add(row);
    this.arrange();
  }

  select(row) {
    this.selected = row;
    this.draw();
    this.choose(this.data.id[row]);
  }

  key(event) {
    const place = Math.max(0, this.rows.indexOf(this.hovered >= 0 ? this.hovered : this.selected));
    const move = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15 }[event.key];
    const row = this.rows[place];
    if (move) {
      const next = Math.min(this.rows.length - 1, Math.max(0, place + move));
      this.hovered = this.rows[next];
      const y = next * ROW;
      if (y < this.view.scrollTop) this.view.scrollTop = y;
      if (y + ROW > this.view.scrollTop + this.height - AXIS) this.view.scrollTop = y + ROW - this.height + AXIS;
      this.draw();
    } else if (event.key === "Enter") this.select(row);
    else if (event.key === "ArrowLeft" && this.children[row] && !this.folded.has(row)) this.fold(row);
    else if (event.key === "ArrowRight" && this.folded.has(row)) this.fold(row);
    else if (event.key === "Escape") { this.low = 0; this.high = this.data.total; this.draw(); }
    else return;
    event.preventDefault();
  }

  zoom(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const left = this.labelWidth, share = Math.min(1, Math.max(0, (event.offsetX - left) / (this.width - left - 64)));
    const span = this.high - this.low, next = Math.min(this.data.total, Math.max(1000, span * (event.deltaY > 0 ? 1.25 : 0.8)));
    this.low = Math.max(0, Math.min(this.data.total - next, this.low + (span - next) * share));
    this.high = this.low + next;
    this.draw();
  }

  close() {
    this.observer.disconnect();
    if (this.pending) cancelAnimationFrame(this.pending);
  }
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
