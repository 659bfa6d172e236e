"use strict";
// The theme, the drawing and saving of charts, addresses and paper. Every figure was worked out before: nothing is
// computed here.

const table = document.getElementById("rows"); // some pages have none

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
    for (const entry of entries.filter((each) => each.isIntersecting)) drawNow(entry.target);
  },
  { rootMargin: "600px" },
);
const waiting = new Set(); // places to be drawn once they are seen

function drawLater(place) {
  waiting.add(place);
  seen.observe(place);
}

function drawNow(place) {
  seen.unobserve(place);
  if (waiting.delete(place)) draw(place);
}

places.forEach(drawLater);

// --- saving ---

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// a chart as a file: dark ink on white, whatever the theme, twice as large where it is made of pixels
async function saveChart(figure, kind) {
  const place = figure.querySelector("[data-chart]");
  const specification = { ...specs[place.dataset.chart], width: place.clientWidth };
  const held = document.createElement("div");
  const light = { ...config, background: "white" };
  const { view } = await vegaEmbed(held, specification, { ...options, config: light });
  const name = `${figure.id}.${kind}`;
  if (kind === "svg") save(new Blob([inked(await view.toSVG())], { type: "image/svg+xml" }), name);
  else save(await pixels(inked(await view.toSVG())), name);
  view.finalize();
}

// outside the page nothing says what the color of the text is, nor that labels interrupt the lines behind them
const halo = ".role-mark.mark-text text { paint-order: stroke; stroke: white; stroke-width: 4px; stroke-linejoin: round; }";
const inked = (svg) => svg.replaceAll("currentColor", "#1b1c1d").replace(/<svg[^>]*>/, `$&<style>${halo}</style>`);

async function pixels(svg) {
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await picture.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * picture.naturalWidth, 2 * picture.naturalHeight];
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

for (const tools of document.querySelectorAll(".tools")) {
  tools.hidden = false;
  for (const button of tools.querySelectorAll("button")) {
    button.addEventListener("click", () => saveChart(button.closest("figure"), button.dataset.save));
  }
}

// --- addresses ---

// an address inside a folded part of the page opens it, where the browser has not; a chart's is drawn, wherever
// others have pushed it since
function unfold() {
  const target = document.getElementById(location.hash.slice(1));
  const folded = target?.closest("details:not([open])");
  if (folded) {
    folded.open = true;
    target.scrollIntoView();
  }
  target?.querySelectorAll("[data-chart]").forEach(drawNow);
}

addEventListener("hashchange", unfold);
unfold();

// --- on paper ---

const before = { folded: [], copies: [] };

// unfold all, draw all charts as wide as paper, and show the table once for each group of columns
addEventListener("beforeprint", () => {
  if (root.classList.contains("paper")) return;
  root.classList.add("paper");
  before.folded = [...document.querySelectorAll("details:is(.task, .more):not([open])")];
  for (const part of before.folded) part.open = true;
  if (table) {
    table.hidden = true;
    before.copies = ["speed", "cost", "accuracy"].map(copied);
    table.after(...before.copies);
  }
  for (const place of places) draw(place); // done before the paper is laid out: nothing in it waits for anything
});

// the rows as they are now, with one group of columns and headings that are repeated on every sheet
function copied(group) {
  const copy = table.cloneNode(true);
  copy.hidden = false;
  copy.dataset.columns = group;
  for (const each of [copy, ...copy.querySelectorAll("[id]")]) each.removeAttribute("id");
  for (const button of copy.tHead.querySelectorAll("button")) button.replaceWith(button.textContent);
  if (group !== "speed") copy.caption.textContent = `The same rows: ${group}.`;
  return copy;
}

addEventListener("afterprint", () => {
  if (!root.classList.contains("paper")) return;
  root.classList.remove("paper");
  if (table) table.hidden = false;
  for (const copy of before.copies) copy.remove();
  for (const part of before.folded) part.open = false;
  for (const place of places) seen.unobserve(place);
  places.forEach(drawLater); // drawn again as wide as the screen once they are seen
});
