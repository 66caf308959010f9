// What the page does: dark or light, tables that sort, sample grids that switch, and the origin of numbers.
// Texts from the data become text nodes and nothing else, so none of them can run.

const data = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
const byId = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// -- dark or light

const dark = byId("dark");
const remembered = { get: () => { try { return localStorage.getItem("diffbench-dark"); } catch { return null; } },
  set: (value) => { try { localStorage.setItem("diffbench-dark", value); } catch { /* A file may have no storage. */ } } };

function setDark(on) {
  root.classList.toggle("dark", on);
  dark.setAttribute("aria-pressed", String(on));
}
setDark(remembered.get() === null ? root.classList.contains("dark") : remembered.get() === "yes");
dark.hidden = false;
dark.addEventListener("click", () => {
  setDark(!root.classList.contains("dark"));
  remembered.set(root.classList.contains("dark") ? "yes" : "no");
});

// -- what is packed: figures, and the script of tables

function unpacked(text, type) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream, { headers: { "Content-Type": type } }).blob();
}

async function figures() {
  for (const image of document.querySelectorAll("img[data-packed]")) {
    image.src = URL.createObjectURL(await unpacked(image.dataset.packed, "image/svg+xml"));
    image.removeAttribute("data-packed");
  }
}

// -- tables

for (const box of document.querySelectorAll("input[data-wide]")) {
  const table = byId(box.dataset.wide);
  const set = () => table.classList.toggle("narrow", !box.checked);
  box.addEventListener("change", set);
  set();  // A browser may keep the box checked when the page is loaded again.
}

const PAGE = 30;  // Rows of a table that are shown at once.

async function sortable() {
  const url = URL.createObjectURL(await unpacked(byId("itables").textContent, "text/javascript"));
  const { ITable, jQuery } = await import(url);
  URL.revokeObjectURL(url);
  const compare = (sign) => (a, b) => (a === "" ? (b === "" ? 0 : 1) : b === "" ? -1 : sign * (a - b));
  // Rows without a number come last in both directions.
  jQuery.fn.dataTable.type("diffbench-number", { order: { asc: compare(1), desc: compare(-1) } });
  for (const table of document.querySelectorAll("table.data")) {
    const title = byId(table.id.replace(/-cells$/, "-title")).textContent;
    const rows = table.tBodies[0].rows.length;
    const numbers = [...table.tHead.rows[0].cells].flatMap((cell, place) => cell.classList.contains("number") ? [place] : []);
    const region = table.parentElement;
    const named = () => region.querySelector(".dt-paging nav")?.setAttribute("aria-label", `Pages of ${title}`);
    jQuery(table).on("draw.dt", named);
    new ITable(table, {
      autoWidth: false, order: [], paging: rows > PAGE, pageLength: PAGE, lengthChange: false,
      columnDefs: [{ type: "diffbench-number", targets: numbers }],
      layout: { topStart: rows > 5 ? "search" : null, topEnd: null, bottomStart: rows > 5 ? "info" : null, bottomEnd: rows > PAGE ? "paging" : null },
      language: { search: "Filter", searchPlaceholder: "", info: "_TOTAL_ rows", infoEmpty: "no rows", infoFiltered: "of _MAX_", zeroRecords: "No row has all of these words." },
    });
    // The table alone scrolls sideways. Its filter stays in sight.
    const inner = region.querySelector(".dt-layout-table");
    if (inner) {
      for (const name of ["role", "tabindex", "aria-labelledby"]) { inner.setAttribute(name, region.getAttribute(name)); region.removeAttribute(name); }
      region.classList.remove("scroll");
    }
    named();
    const search = region.querySelector("input[type=search]");
    if (search) search.setAttribute("aria-label", `Filter the rows of ${title}`);
  }
  root.dataset.ready = "yes";
}

// -- where a number comes from

const MOST = 6;  // Sources of a file that are named; a table has one for each of its rows.
const dialog = byId("origin");
const held = (places) => Object.fromEntries(Object.entries(places).map(([key, place]) => [key, data.values[place]]));

function chain(first) {
  const found = new Set(first);
  for (const place of found) {
    if (data.files[place].stage === "tabulate") continue;  // A table is made from the files of its other rows too.
    for (const [, source] of data.files[place].inputs) if (typeof source === "number") found.add(source);
  }
  return [...found].map((place) => data.files[place]);
}

function numbersOf(files, key) {
  const head = make("tr", {}, ...["metric", "value", "95 % interval", "the interval covers"].map((text) => make("th", { scope: "col" }, text)));
  const body = make("tbody");
  const several = files.filter((file) => file.numbers.length).length > 1;
  // A set that is scored under two names of a protocol has the same numbers twice. Its two files have one path below
  // the folder of the protocol. Two sets may share a number too, and both are shown.
  const seen = new Set(), set = (file) => file.place.split("/").slice(3).join("/");
  for (const file of files) {
    for (const [metric, value, low, high, covers] of file.numbers) {
      const same = [set(file), metric, value, low, high, covers].join();
      if (seen.has(same)) continue;
      seen.add(same);
      const exact = low === value && high === value;
      const row = make("tr", {}, make("th", { scope: "row" }, metric), make("td", {}, value),
        make("td", {}, exact ? "none" : `${low} to ${high}`), make("td", {}, covers));
      if (metric === key) row.className = "chosen";
      if (several) row.append(make("td", {}, make("code", {}, file.place)));
      body.append(row);
    }
  }
  if (several) head.append(make("th", { scope: "col" }, "file"));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Numbers" }, make("table", {}, make("thead", {}, head), body));
}

function fields(text) {
  const list = make("dl", { class: "fields" });
  for (const part of text.split(";")) {
    const at = part.indexOf("=");
    list.append(make("div", {}, make("dt", {}, at < 0 ? "" : part.slice(0, at)), make("dd", {}, part.slice(at + 1))));
  }
  return list;
}

function fileItem(file, open) {
  const sources = file.inputs.map(([name, source]) =>
    typeof source === "number" ? `${name}: ${data.files[source].place}` : `${name}: sha256 ${source}`);
  const from = sources.length > MOST ? [...sources.slice(0, MOST), `and ${sources.length - MOST} more`] : sources;
  const spec = held(file.spec);
  const details = make("details", open ? { open: "" } : {},
    make("summary", {}, make("strong", {}, file.stage), " ", make("code", {}, file.place)),
    make("dl", { class: "fields" },
      make("div", {}, make("dt", {}, "sha256"), make("dd", {}, make("code", {}, file.sha256))),
      make("div", {}, make("dt", {}, "code hash"), make("dd", {}, make("code", {}, spec.code ?? "not recorded"))),
      ...("seed" in spec ? [make("div", {}, make("dt", {}, "seed"), make("dd", {}, JSON.stringify(spec.seed)))] : []),
      make("div", {}, make("dt", {}, "threads"), make("dd", {}, String(file.threads ?? "not recorded")))),
    make("p", {}, "Made from ", from.length ? from.join(", ") : "no other file", "."),
    make("p", {}, "To make it again:"), make("pre", {}, file.again));
  const more = [["Settings", spec], ["Found while it was made", held(file.facts)], ["Versions", data.values[file.versions]]];
  for (const [name, value] of more) {
    if (Object.keys(value).length) details.append(make("details", {}, make("summary", {}, name), make("pre", {}, JSON.stringify(value, null, 1))));
  }
  return make("li", {}, details);
}

function openOrigin(row, key) {
  const first = row.dataset.files.split(" ").map(Number);
  const files = chain(first);
  const own = first.map((place) => data.files[place]);
  byId("origin-title").textContent = `Where the numbers of ${row.dataset.name} come from`;
  const body = byId("origin-body");
  body.replaceChildren();
  if (own.some((file) => file.numbers.length)) body.append(make("h3", {}, "Numbers"), numbersOf(own, key));
  const protocols = [...new Set(own.flatMap((file) => file.numbers.map((number) => data.values[number[5]])))].filter((text) => text);
  for (const text of protocols) body.append(make("h3", {}, "Protocol"), fields(text));
  body.append(make("h3", {}, "Files, from the numbers back to the data"), make("ol", {}, ...files.map((file, place) => fileItem(file, place === 0))),
    make("h3", {}, "Check"), make("p", {}, "This command compares every file with its record:"), make("pre", {}, data.verify));
  dialog.showModal();
  dialog.scrollTop = 0;
}

document.addEventListener("click", (event) => {
  const cell = event.target.closest("tr[data-files] > *");
  if (!cell || String(getSelection()).length) return;
  if (cell.tagName === "TH" && !event.target.closest("button")) return;
  const head = cell.closest("table").tHead.rows[0].cells[cell.cellIndex];
  openOrigin(cell.parentElement, cell.tagName === "TD" ? head.dataset.key : "");
});
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

// -- sample grids

const FIELDS = ["model", "sampler", "steps", "train", "sample"];

function draw(box, set) {
  box.replaceChildren();
  const [height, width] = set.cell;
  const shrunk = set.cell[1] > 128 ? 128 / set.cell[1] : 1;
  box.style.gridTemplateColumns = `repeat(auto-fill, ${width * shrunk}px)`;
  for (let place = 0; place < set.count; place++) {
    const picture = make("i");
    picture.style.cssText = `width:${width * shrunk}px;height:${height * shrunk}px;background-size:${width * shrunk * set.count}px ${height * shrunk}px;background-position:${-place * width * shrunk}px 0`;
    picture.style.backgroundImage = `url(${set.src})`;
    if (shrunk < 1) picture.style.imageRendering = "auto";
    const item = make("span", {}, picture);
    if (set.labels.length) item.append(String(set.labels[place]));
    box.append(item);
  }
}

function grids() {
  const selects = FIELDS.map((field) => byId(`grid-${field}`));
  const chosen = () => Object.fromEntries(FIELDS.map((field, place) => [field, selects[place].value]));
  // Each select lists what exists with the choices before it, and keeps its own choice if that exists.
  function fill(from) {
    FIELDS.forEach((field, place) => {
      const before = chosen();
      const fitting = data.sets.filter((set) => FIELDS.slice(0, place).every((other) => set[other] === before[other]));
      const values = [...new Set(fitting.map((set) => set[field]))];
      const wanted = values.includes(before[field]) ? before[field] : values[0];
      if (place > from || from < 0) {
        selects[place].replaceChildren(...values.map((value) => make("option", { value }, value)));
        selects[place].value = wanted;
      }
      const varied = new Set(data.sets.map((set) => set[field])).size > 1;
      selects[place].parentElement.hidden = place > 2 && !varied;
    });
  }
  function show() {
    const want = chosen();
    const set = data.sets.find((one) => FIELDS.every((field) => one[field] === want[field]));
    byId("grid-words").textContent = `${set.count} of ${set.of} samples of ${set.model}, ${set.sampler}, ${set.steps} steps` +
      `, ${set.size[1]} by ${set.size[0]} pixels${set.labels.length ? ", each above its class" : ""}. File: ${set.place}`;
    draw(byId("grid"), set);
    const real = data.real.find((one) => one.size.join() === set.size.join());
    byId("grid-real-box").hidden = !real;
    if (real) {
      byId("grid-real-words").textContent = `${real.count} of ${real.of} real images, for comparison. File: ${real.place}`;
      draw(byId("grid-real"), real);
    }
  }
  fill(-1);
  show();
  selects.forEach((select, place) => select.addEventListener("change", () => { fill(place); show(); }));
}
if (data.sets.length) grids();

// A browser that cannot unpack leaves plain tables and the texts of figures.
figures().then(sortable).catch((error) => { root.dataset.ready = "no"; console.error("something cannot be shown:", error); });
