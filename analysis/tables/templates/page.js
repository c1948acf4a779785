"use strict";
(() => {
  const page = document.documentElement;
  page.classList.add("js");

  const kept = {
    get() { try { return localStorage.getItem("theme"); } catch { return null; } },
    set(value) { try { localStorage.setItem("theme", value); } catch { /* a page opened from a file may keep nothing */ } },
  };
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const theme = () => page.dataset.theme || (systemDark.matches ? "dark" : "light");
  const label = () => { button.textContent = theme() === "dark" ? "Light theme" : "Dark theme"; };
  if (["light", "dark"].includes(kept.get())) page.dataset.theme = kept.get();
  button.addEventListener("click", () => {
    page.dataset.theme = theme() === "dark" ? "light" : "dark";
    kept.set(page.dataset.theme);
    label();
  });
  systemDark.addEventListener("change", label);
  label();

  const collator = new Intl.Collator(undefined, { numeric: true });
  const key = (row, index) => {
    const cell = row.cells[index];
    return cell.dataset.v === undefined ? cell.textContent.trim() : cell.dataset.v;
  };
  const sort = (table, header) => {
    const index = header.cellIndex;
    const numeric = header.dataset.kind === "number";
    const falling = header.getAttribute("aria-sort") === "ascending";
    for (const other of header.parentElement.cells) if (other !== header) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].map((row) => [key(row, index), row]);
    const missing = (value) => value === "" || (numeric && Number.isNaN(Number(value)));
    rows.sort(([a], [b]) => {
      if (missing(a) || missing(b)) return missing(a) - missing(b); // what is missing stays last, either way
      const order = numeric ? Number(a) - Number(b) : collator.compare(a, b);
      return falling ? -order : order;
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  for (const table of document.querySelectorAll("table[data-sortable]")) {
    table.tHead.addEventListener("click", (event) => {
      const header = event.target.closest("th");
      if (header && event.target.closest("button")) sort(table, header);
    });
  }

  for (const tools of document.querySelectorAll(".tools")) {
    const table = document.getElementById(tools.dataset.table);
    const rows = [...table.tBodies[0].rows];
    const search = tools.querySelector("input");
    const choices = [...tools.querySelectorAll("select")];
    const count = tools.querySelector("output");
    for (const choice of choices) {
      const index = Number(choice.dataset.column);
      const values = [...new Set(rows.map((row) => row.cells[index].textContent.trim()))].sort(collator.compare);
      for (const value of values) choice.add(new Option(value || "(none)", "=" + value));
    }
    const filter = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        const fits = words.every((word) => text.includes(word)) && choices.every((choice) =>
          !choice.value || choice.value === "=" + row.cells[Number(choice.dataset.column)].textContent.trim());
        row.hidden = !fits;
        shown += fits;
      }
      count.textContent = `${shown} of ${rows.length} rows`;
    };
    search.addEventListener("input", filter);
    for (const choice of choices) choice.addEventListener("change", filter);
    filter();
  }

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const item of opened) item.open = true;
  });
  addEventListener("afterprint", () => { for (const item of opened) item.open = false; });
})();
