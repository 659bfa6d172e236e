"use strict";
// Sorting, filters, the theme and the drawing of charts. Every figure was worked out before: nothing is computed here.

const table = document.getElementById("rows");
const body = table.tBodies[0];
const rows = [...body.rows];

// --- the table ---

function sortBy(header) {
  const index = header.cellIndex;
  const order = header.ariaSort === "ascending" ? -1 : 1;
  for (const other of header.parentNode.cells) other.ariaSort = "none";
  header.ariaSort = order > 0 ? "ascending" : "descending";
  const value = (row) => row.cells[index].dataset.value;
  const compare = (one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === "" || b === "") return (a === "") - (b === ""); // blanks come last, whatever the order
    return order * (isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b);
  };
  body.append(...[...rows].sort(compare));
  group(index === 1);
}

// a line between tasks, as long as the rows stand by task
function group(byTask) {
  let before = null;
  for (const row of body.rows) {
    const starts = byTask && before !== null && row.dataset.task !== before && !row.hidden;
    row.classList.toggle("group", starts);
    if (!row.hidden) before = row.dataset.task;
  }
}

for (const header of table.tHead.rows[0].cells) {
  header.querySelector("button").addEventListener("click", () => sortBy(header));
}

const form = document.getElementById("filters");

function filter() {
  const asked = new FormData(form);
  const words = asked.get("text").toLowerCase().split(/\s+/);
  const same = (row, name) => !asked.get(name) || row.dataset[name] === asked.get(name);
  for (const row of rows) {
    const fits = ["task", "tier", "verdict"].every((name) => same(row, name));
    const text = row.textContent.toLowerCase();
    row.hidden = !fits || !words.every((word) => text.includes(word));
  }
  table.dataset.columns = asked.get("columns");
  const shown = rows.filter((row) => !row.hidden).length;
  document.getElementById("count").textContent = `${shown} of ${rows.length} rows`;
  group(!table.querySelector("[aria-sort$='ending']") || table.tHead.rows[0].cells[1].ariaSort !== "none");
}

form.hidden = false;
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(filter));
filter();

// --- the theme ---

const root = document.documentElement;
const toggle = document.getElementById("theme");
const dark = matchMedia("(prefers-color-scheme: dark)");

function theme(name) {
  if (name) root.dataset.theme = name;
  const now = root.dataset.theme || (dark.matches ? "dark" : "light");
  toggle.textContent = now === "dark" ? "Light theme" : "Dark theme";
  return now;
}

toggle.hidden = false;
toggle.addEventListener("click", () => theme(theme() === "dark" ? "light" : "dark"));
dark.addEventListener("change", () => theme());
theme();

// --- the charts ---

const { config, specs } = JSON.parse(document.getElementById("specs").textContent);
const options = {
  actions: false,
  ast: true, // expressions are interpreted, so that the page needs no permission to evaluate text
  config,
  defaultStyle: false,
  renderer: "svg",
  tooltip: { disableDefaultStyle: true },
};

const places = [...document.querySelectorAll("[data-chart]")];
const drawn = new Map(); // by place: what is drawn there, so that it can end

async function draw(place) {
  drawn.get(place)?.finalize();
  try {
    drawn.set(place, await vegaEmbed(place, specs[place.dataset.chart], options));
    place.querySelector("svg").ariaHidden = "true"; // its description is on the place, its figures in the table
    place.dataset.drawn = "true";
  } catch (error) {
    place.textContent = "This chart could not be drawn; its figures are below.";
    console.error(error);
  }
}

// only what is about to be seen: a closed part of the page has no width yet
const seen = new IntersectionObserver(
  (entries) => {
    for (const entry of entries.filter((each) => each.isIntersecting)) {
      seen.unobserve(entry.target);
      draw(entry.target);
    }
  },
  { rootMargin: "600px" },
);
for (const place of places) seen.observe(place);

// --- on paper ---

const before = { folded: [], copies: [] };

// unfold all, draw all charts as wide as paper, and show the table once for each group of columns
addEventListener("beforeprint", () => {
  if (root.classList.contains("paper")) return;
  root.classList.add("paper");
  before.folded = [...document.querySelectorAll("details.task:not([open])")];
  for (const part of before.folded) part.open = true;
  table.hidden = true;
  before.copies = ["speed", "cost", "accuracy"].map(copied);
  table.after(...before.copies);
  for (const place of places) draw(place); // done before the paper is laid out: nothing in it waits for anything
});

// the rows as they are now, with one group of columns and headings that are repeated on every sheet
function copied(group) {
  const copy = table.cloneNode(true);
  copy.hidden = false;
  copy.dataset.columns = group;
  for (const each of [copy, copy.caption]) each.removeAttribute("id");
  for (const button of copy.tHead.querySelectorAll("button")) button.replaceWith(button.textContent);
  if (group !== "speed") copy.caption.textContent = `The same rows: ${group}.`;
  return copy;
}

addEventListener("afterprint", () => {
  if (!root.classList.contains("paper")) return;
  root.classList.remove("paper");
  table.hidden = false;
  for (const copy of before.copies) copy.remove();
  for (const part of before.folded) part.open = false;
  for (const place of places) seen.unobserve(place);
  for (const place of places) seen.observe(place); // drawn again as wide as the screen once they are seen
});
