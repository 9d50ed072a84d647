// Output and names from a sandbox are put into the page as text (textContent, Text nodes), images
// by their address, and nothing as markup.

const $ = (id) => document.getElementById(id);

const samples = {
  python: `import time

for i in range(5):
    print("step", i)
    time.sleep(0.3)

with open("hello.txt", "w") as f:
    f.write("kept for the next run\\n")
`,
  sh: `for i in 1 2 3 4 5; do
  echo "step $i"
  sleep 0.3
done
id
echo "kept for the next run" >hello.txt
`,
};

const maxShown = 1_000_000; // characters of output on the page; the rest is dropped
let written = 0;
let running = null; // AbortController of the run
let dir = "."; // the listed directory
let asked = 0; // listings so far

class Refused extends Error {}

// call is fetch, but throws an error with the service's own text.
async function call(url, options) {
  const response = await fetch(url, options);
  if (response.ok) return response;
  let text = `${response.status} ${response.statusText}`;
  try { text = (await response.json()).error || text; } catch { /* no JSON: the status says it */ }
  throw new Refused(text);
}

function home() {
  const user = $("user").value.trim();
  if (!user) {
    $("user").focus();
    throw new Refused("Choose a user name first.");
  }
  return "/users/" + encodeURIComponent(user);
}

function say(text, bad = false) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", bad);
}

const explain = (e) => e instanceof Refused ? e.message : "The service cannot be reached.";

function show(kind, text) {
  const pre = $("output");
  const room = maxShown - written;
  if (room <= 0) return;
  written += text.length;
  const follow = pre.scrollHeight - pre.scrollTop - pre.clientHeight < 30;
  let last = pre.lastElementChild;
  if (!last || last.className !== kind) {
    last = document.createElement("span");
    last.className = kind;
    pre.append(last);
  }
  last.append(text.slice(0, room));
  if (written >= maxShown) {
    const note = document.createElement("span");
    note.className = "note";
    note.textContent = "\n(more output is not shown)";
    pre.append(note);
  }
  if (follow) pre.scrollTop = pre.scrollHeight;
}

// bytes of base64 that are not UTF-8 become U+FFFD.
const decode = (base64) => new TextDecoder().decode(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part);
  }
}

function describe(end) {
  const time = `${(end.duration_ms / 1000).toFixed(2)} s`;
  switch (end.outcome) {
    case "exited": return end.exit_code === 0 ? `Done in ${time}` : `Exit code ${end.exit_code} after ${time}`;
    case "signaled": return `Ended by ${end.signal} after ${time}`;
    case "timed_out": return `Timed out after ${time}`;
    case "output_limit": return `Ended after ${time}: too much output`;
    default: return end.error || end.outcome;
  }
}

async function run() {
  if (running) return;
  running = new AbortController();
  $("run").disabled = true;
  $("stop").disabled = false;
  $("output").replaceChildren();
  written = 0;
  say("Running…");
  let end = null;
  let stopped = false;
  try {
    const response = await call(home() + "/run", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ language: $("language").value, code: $("code").value }),
      signal: running.signal,
    });
    for await (const line of lines(response.body)) {
      if (line.stream) show(line.stream === "stderr" ? "stderr" : "stdout", line.data ?? decode(line.base64));
      else end = line;
    }
    if (end) say(describe(end), end.outcome !== "exited" || end.exit_code !== 0);
    else say("The connection broke.", true);
  } catch (e) {
    stopped = running.signal.aborted;
    if (stopped) say("Stopped");
    else say(explain(e), true);
  } finally {
    running = null;
    $("run").disabled = false;
    $("stop").disabled = true;
  }
  if (end || stopped) list(dir);
}

function size(n) {
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (n < 1024 || unit === "GiB") return `${unit === "B" || n >= 100 ? Math.round(n) : n.toFixed(1)} ${unit}`;
    n /= 1024;
  }
}

const when = (text) => new Date(text).toLocaleString([], { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

function row(entry) {
  const tr = document.createElement("tr");
  const link = document.createElement("a");
  link.textContent = entry.name + (entry.type === "dir" ? "/" : "");
  link.href = entry.href;
  link.title = entry.name;
  if (entry.type === "dir") link.addEventListener("click", (e) => { e.preventDefault(); fetchList(entry.href); });
  else link.download = entry.name;
  const cells = [link, entry.type === "dir" ? "" : size(entry.size), when(entry.modified)];
  for (const content of cells) {
    const td = document.createElement("td");
    td.append(content);
    tr.append(td);
  }
  return tr;
}

function figure(entry) {
  const element = document.createElement("figure");
  const link = document.createElement("a");
  const img = document.createElement("img");
  const caption = document.createElement("figcaption");
  link.href = entry.href;
  link.target = "_blank";
  link.rel = "noopener";
  img.src = entry.href + "?v=" + encodeURIComponent(entry.modified + entry.size);
  img.alt = entry.name;
  img.loading = "lazy";
  img.addEventListener("error", () => element.remove());
  caption.textContent = entry.name;
  link.append(img);
  element.append(link, caption);
  return element;
}

const isImage = (entry) => entry.type === "file" && entry.size < 20 << 20 && /\.(png|jpe?g|gif|webp)$/i.test(entry.name);

async function fetchList(href) {
  const mine = ++asked;
  try {
    const found = await (await call(href)).json();
    if (mine !== asked) return; // another directory or user was chosen meanwhile
    dir = found.path;
    $("files").replaceChildren(...found.entries.map(row));
    $("images").replaceChildren(...found.entries.filter(isImage).slice(0, 24).map(figure));
    $("files-note").textContent = found.more ? "There are more files than listed here." : found.entries.length ? "" : "No files here.";
    $("path").textContent = dir === "." ? "" : dir;
    $("up").hidden = dir === ".";
  } catch (e) {
    if (mine !== asked) return;
    $("files").replaceChildren();
    $("images").replaceChildren();
    $("files-note").textContent = explain(e);
  }
}

function list(path) {
  try {
    return fetchList(home() + "/files?path=" + encodeURIComponent(path));
  } catch (e) {
    $("files-note").textContent = explain(e);
  }
}

async function upload() {
  const files = [...$("upload").files];
  $("upload").value = "";
  try {
    for (const file of files) {
      say(`Uploading ${file.name}…`);
      const path = (dir === "." ? file.name : dir + "/" + file.name).split("/").map(encodeURIComponent).join("/");
      await call(home() + "/files/" + path, { method: "PUT", body: file });
    }
    say(files.length ? "Uploaded" : "");
  } catch (e) {
    say(explain(e), true);
  }
  list(dir);
}

async function release(query, text) {
  try {
    await call(home() + query, { method: "DELETE" });
    dir = ".";
    $("files").replaceChildren();
    $("images").replaceChildren();
    $("files-note").textContent = "";
    say(text);
  } catch (e) {
    say(explain(e), true);
  }
}

function choose() {
  localStorage.setItem("user", $("user").value.trim());
  dir = ".";
  if ($("user").value.trim()) list(dir);
}

$("run").addEventListener("click", run);
$("stop").addEventListener("click", () => running?.abort());
$("code").addEventListener("keydown", (e) => {
  if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); run(); }
});
$("language").addEventListener("change", () => {
  if (Object.values(samples).includes($("code").value)) $("code").value = samples[$("language").value];
});
$("refresh").addEventListener("click", () => list(dir));
$("up").addEventListener("click", () => list(dir.includes("/") ? dir.slice(0, dir.lastIndexOf("/")) : "."));
$("choose").addEventListener("click", () => $("upload").click());
$("upload").addEventListener("change", upload);
$("release").addEventListener("click", () => release("", "The sandbox has ended; its files stay."));
$("delete").addEventListener("click", () => {
  if (confirm("Delete all files of this user?")) release("?files=delete", "The sandbox and its files are gone.");
});
$("user").addEventListener("change", choose);

$("code").value = samples.python;
$("user").value = localStorage.getItem("user") ?? "";
choose();
