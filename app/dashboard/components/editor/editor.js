// A text area whose text is clear, over a copy of it whose words are coloured. What is written reaches the page through
// textContent only.

const WORDS = new Set(("all and any anti as asc asof between by case cast cross cube current date desc describe distinct else end " +
  "except exclude exists explain false filter following from full grouping group having ilike in inner intersect interval is join " +
  "lateral left like limit natural not null nulls offset on or order outer over partition pivot positional preceding qualify range " +
  "recursive replace right rollup rows sample select semi sets show similar summarize table then timestamp true try_cast unbounded " +
  "union unnest unpivot using values when where window with").split(" "));
const PARTS = /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*(?:'|$))|("(?:[^"]|"")*(?:"|$))|\b(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\b|([A-Za-z_]\w*)/gi;

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector(".ob-editor");
  root.tell = (name) => { root.told = root.area.value; setTriggerValue(name, root.told); };
  if (!root.area) build(root, data.label);
  if (data.text !== root.told) { // an example, a link, or what was written before: not what stands here already
    root.told = data.text;
    root.area.value = data.text;
    paint(root);
  }
  root.setAttribute("data-ready", "editor");
}

function build(root, label) {
  const paper = element("div", "ob-paper"), run = element("button"), hint = element("small");
  root.copy = element("pre");
  root.copy.setAttribute("aria-hidden", "true");
  root.area = element("textarea");
  Object.assign(root.area, { spellcheck: false, autocomplete: "off" });
  root.area.setAttribute("aria-label", label);
  run.type = "button";
  run.textContent = "Run";
  hint.textContent = "or Ctrl+Enter";
  root.area.addEventListener("input", () => paint(root));
  root.area.addEventListener("blur", () => { if (root.area.value !== root.told) root.tell("written"); });
  root.area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); root.tell("run"); }
  });
  run.addEventListener("click", () => root.tell("run"));
  paper.append(root.copy, root.area);
  root.append(paper, run, hint);
}

function paint(root) {
  const text = root.area.value, parts = [];
  let done = 0;
  for (const found of text.matchAll(PARTS)) {
    const kind = found[1] ? "comment" : found[2] ? "text" : found[4] ? "number" : found[5] && WORDS.has(found[5].toLowerCase()) ? "word" : "";
    if (!kind) continue;
    const part = element("span", kind);
    part.textContent = found[0];
    parts.push(text.slice(done, found.index), part);
    done = found.index + found[0].length;
  }
  root.copy.replaceChildren(...parts, text.slice(done), "\n");
}

function element(tag, name) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  return made;
}
