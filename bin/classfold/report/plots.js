"use strict";
// Plots that can be read: under the pointer, with the arrow keys, and as a list of all values.
(() => {
  const listOf = (places) => {
    const list = document.createElement("ol");
    for (const [, , said] of places) {
      const item = document.createElement("li");
      item.textContent = said;
      list.append(item);
    }
    return list;
  };
  const offerValues = (plot, places) => {
    const details = document.createElement("details");
    const summary = document.createElement("summary");
    details.className = "plain values";
    summary.textContent = `All values as a list (${places.length})`;
    details.append(summary);
    // Made when it is opened: a page of many classes would be slow with all of them.
    details.addEventListener("toggle", () => { if (details.open && !details.querySelector("ol")) details.append(listOf(places)); });
    plot.append(details);
  };

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
      const end = { Home: 0, End: places.length - 1 }[event.key];
      if (!step && end === undefined) return;
      event.preventDefault();
      show(end ?? (current < 0 ? 0 : current + step));
    });
    offerValues(plot, places);
  }
})();
