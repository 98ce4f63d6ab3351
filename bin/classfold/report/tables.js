"use strict";
// Tables that sort by a column's button; what is empty stays last.
(() => {
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
})();
