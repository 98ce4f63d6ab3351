"use strict";
// Tables that sort, plots that can be read, links that open what they point to, and a page that prints whole.
(() => {
  const openAround = (element) => {
    for (let at = element; at; at = at.parentElement) {
      if (at.tagName !== "DETAILS" || at.open) continue;
      at.dataset.asked = "yes";
      at.open = true;
    }
  };

  const followHash = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    openAround(target);
    target.scrollIntoView();
  };
  addEventListener("hashchange", followHash);
  followHash();

  const sortValue = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort ?? cell.textContent.trim();
  };
  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, undefined, { numeric: true }) : x - y;
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows];
      const empty = (row) => ["", "–"].includes(sortValue(row, column));
      rows.sort((a, b) => empty(a) - empty(b)
        || (descending ? -1 : 1) * compare(sortValue(a, column), sortValue(b, column)));
      table.tBodies[0].append(...rows);
    }));
  }

  for (const plot of document.querySelectorAll("figure.plot")) {
    const svg = plot.querySelector("svg");
    const places = JSON.parse(svg.dataset.readout);
    if (!places.length) continue;
    const cursor = svg.querySelector(".cursor");
    let current = -1;
    const show = (index) => {
      current = Math.min(Math.max(index, 0), places.length - 1);
      const [x, y, said] = places[current];
      cursor.setAttribute("visibility", "visible");
      cursor.querySelector("line").setAttribute("transform", `translate(${x} 0)`);
      cursor.querySelector("circle").setAttribute("transform", `translate(${x} ${y})`);
      plot.querySelector(".readout").textContent = said;
    };
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
      let nearest = 0;
      places.forEach((place, index) => {
        if (Math.abs(place[0] - x) < Math.abs(places[nearest][0] - x)) nearest = index;
      });
      show(nearest);
    });
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10 }[event.key];
      if (!step) return;
      event.preventDefault();
      show(current < 0 ? 0 : current + step);
    });
  }

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open]):not(footer *)")];
    closed.forEach((details) => { details.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((details) => { details.open = false; }));
})();
