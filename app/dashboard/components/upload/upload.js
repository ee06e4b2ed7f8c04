// Files go to the server's own route one after the other, with progress by bytes; file names reach the page as text only.

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const root = parentElement.querySelector(".ob-upload");
  if (root.dataset.ready) return;
  root.dataset.ready = "upload";
  const arrived = [], waiting = [];
  let busy = false;

  const drop = make("label", "ob-drop");
  const input = make("input");
  input.type = "file";
  input.multiple = true;
  const hint = make("small");
  hint.textContent = "OTLP traces as JSON or protobuf, plain, gzip, zstd, zip or tar; up to " + data.most + " a file";
  drop.append("Drop trace dumps here, or choose files", input, hint);
  root.append(drop);
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("over"); take(event.dataTransfer.files); });
  input.addEventListener("change", () => { take(input.files); input.value = ""; });

  function take(files) {
    for (const file of files) {
      const line = make("div", "ob-file"), name = make("span"), bar = make("progress"), said = make("em"), stop = make("button");
      name.textContent = file.name;
      said.textContent = "waiting";
      stop.textContent = "Cancel";
      bar.max = file.size || 1;
      bar.value = 0;
      line.append(name, bar, said, stop);
      root.append(line);
      const job = { file, bar, said, stop, cancelled: false };
      stop.addEventListener("click", () => {
        job.cancelled = true;
        if (job.request) job.request.abort(); else finish(job, "cancelled");
      });
      waiting.push(job);
    }
    next();
  }

  function next() {
    if (busy) return;
    const job = waiting.shift();
    if (!job) return;
    if (job.cancelled) return next();
    if (job.file.size > data.largest) { finish(job, `larger than ${data.most}`); return next(); }
    busy = true;
    const request = (job.request = new XMLHttpRequest());
    request.open("PUT", `${data.path}?name=${encodeURIComponent(job.file.name)}`);
    request.setRequestHeader(data.header, "1");
    request.upload.onprogress = (event) => { job.bar.value = event.loaded; job.said.textContent = `${size(event.loaded)} of ${size(job.file.size)}`; };
    request.onloadend = () => {
      busy = false;
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* no answer: the connection was cut */ }
      if (request.status === 200) {
        arrived.push(answer.id);
        finish(job, "sent");
        setStateValue("arrived", [...arrived]);
      } else finish(job, job.cancelled ? "cancelled" : answer.error || "could not be sent");
      next();
    };
    request.send(job.file);
  }

  function finish(job, words) {
    job.said.textContent = words;
    job.bar.remove();
    job.stop.remove();
  }
}

function make(tag, name) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  return made;
}

function size(bytes) {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}
