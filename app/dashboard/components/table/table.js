// A table of cells [text, look, choice, bar]. Texts are untrusted: they reach the page through textContent only.

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector(".ob-scroll");
  const table = element("table", "ob");
  const caption = element("caption", "", data.label);
  const head = element("tr");
  data.columns.forEach((column, i) => {
    const soft = data.rows[0]?.[i]?.[1] === "soft"; // a column that a narrow window leaves out, its head too
    const cell = element("th", `${i < data.left ? "left" : ""} ${soft ? "soft" : ""}`, column);
    cell.scope = "col";
    head.append(cell);
  });
  const thead = element("thead"), body = element("tbody");
  thead.append(head);
  data.rows.forEach((row, number) => {
    const line = element("tr", row[0][1] === "total" ? "total" : "");
    row.forEach(([text, look, choice, bar], i) => {
      const cell = element(i === 0 ? "th" : "td", `${i < data.left ? "left" : ""} ${look}`);
      if (i === 0) cell.scope = "row";
      if (choice) {
        const button = element("button");
        button.type = "button";
        button.addEventListener("click", () => setTriggerValue("choice", choice));
        write(button, text);
        cell.append(button);
      } else write(cell, text);
      if (bar > 0) { cell.classList.add("bar"); cell.style.setProperty("--share", `${100 * bar}%`); }
      line.append(cell);
    });
    body.append(line);
  });
  table.append(caption, thead, body);
  root.replaceChildren(table);
  const reachable = () => { root.tabIndex = root.scrollWidth > root.clientWidth ? 0 : -1; };
  new ResizeObserver(reachable).observe(root);
  reachable();
  root.setAttribute("data-ready", "table");
}

// The first line as it is, those below it small.
function write(into, text) {
  const [first, ...below] = text.split("\n");
  into.textContent = first;
  for (const line of below) into.append(element("small", "", line));
}

function element(tag, name, text) {
  const made = document.createElement(tag);
  if (name && name.trim()) made.className = name.trim();
  if (text !== undefined) made.textContent = text;
  return made;
}
