// Sorting, filters, the address that keeps both, and the table as CSV.

const body = table.tBodies[0];
const headers = [...table.tHead.rows[0].cells];
const rows = [...body.rows];
const form = document.getElementById("filters");
const initial = Object.fromEntries(new FormData(form)); // what the address need not say
const lines = JSON.parse(document.getElementById("lines").textContent);

// --- sorting ---

function sortBy(header, direction) {
  for (const other of headers) other.ariaSort = "none";
  header.ariaSort = direction;
  const index = header.cellIndex;
  const order = direction === "ascending" ? 1 : -1;
  const value = (row) => row.cells[index].dataset.value;
  const compare = (one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === "" || b === "") return (a === "") - (b === ""); // blanks come last, whatever the order
    return order * (isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b);
  };
  body.append(...[...rows].sort(compare));
  group();
}

function unsort() {
  for (const header of headers) header.ariaSort = "none";
  body.append(...rows);
}

const sorted = () => headers.find((header) => header.ariaSort !== "none");

// a line between tasks, as long as the rows stand by task
function group() {
  const byTask = !sorted() || sorted() === headers[1];
  let before = null;
  for (const row of body.rows) {
    const starts = byTask && before !== null && row.dataset.task !== before && !row.hidden;
    row.classList.toggle("group", starts);
    if (!row.hidden) before = row.dataset.task;
  }
}

for (const header of headers) {
  header.querySelector("button").addEventListener("click", () => {
    sortBy(header, header.ariaSort === "ascending" ? "descending" : "ascending");
    remember();
  });
}

// --- filters ---

function filter() {
  const wanted = new FormData(form);
  const words = wanted.get("text").toLowerCase().split(/\s+/);
  const same = (row, name) => !wanted.get(name) || row.dataset[name] === wanted.get(name);
  for (const row of rows) {
    const fits = ["task", "tier", "verdict"].every((name) => same(row, name));
    const text = row.textContent.toLowerCase();
    row.hidden = !fits || !words.every((word) => text.includes(word));
  }
  table.dataset.columns = wanted.get("columns");
  const shown = rows.filter((row) => !row.hidden);
  table.classList.toggle("one-task", new Set(shown.map((row) => row.dataset.task)).size === 1);
  document.getElementById("count").textContent = `${shown.length} of ${rows.length} rows`;
  group();
}

// --- the address: #task=lesson&sort=time/step&order=descending ---

function remember() {
  const state = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value !== initial[name]) state.set(name, value);
  if (sorted()) state.set("sort", sorted().dataset.name);
  if (sorted()?.ariaSort === "descending") state.set("order", "descending");
  const hash = state.toString();
  history.replaceState(null, "", location.href.split("#")[0] + (hash ? `#${hash}` : ""));
}

function recall() {
  const named = location.hash.includes("=");
  const state = new URLSearchParams(named ? location.hash.slice(1) : "");
  const row = document.getElementById(location.hash.slice(1))?.closest("#rows tbody tr");
  if (location.hash && !named && !row?.hidden) return; // an address of something else leaves the table as it is
  form.reset();
  for (const field of form.elements) {
    const value = state.get(field.name);
    if (value === null) continue;
    if (field.type === "search" || [...field.options].some((option) => option.value === value)) field.value = value;
  }
  const header = headers.find((each) => each.dataset.name === state.get("sort"));
  if (header) sortBy(header, state.get("order") === "descending" ? "descending" : "ascending");
  else unsort();
  filter();
  if (named) document.getElementById("table").scrollIntoView();
  else row?.scrollIntoView();
}

form.hidden = false;
form.addEventListener("input", () => {
  filter();
  remember();
});
form.addEventListener("submit", (event) => event.preventDefault());
form.querySelector("[type=reset]").addEventListener("click", () => {
  setTimeout(() => { // once the fields are empty
    unsort();
    filter();
    remember();
  });
});
addEventListener("hashchange", recall);
filter();
recall();

// --- CSV: the rows that are shown, in their order, with all columns ---

document.getElementById("csv").addEventListener("click", () => {
  const shown = [...body.rows].filter((row) => !row.hidden).map((row) => lines[1 + rows.indexOf(row)]);
  save(new Blob([[lines[0], ...shown, ""].join("\n")], { type: "text/csv" }), "samestep.csv");
});
