"use strict";
// Colours of models by what is known of their residues, and the legend that says so.
const Scales = (() => {
  const CHAINS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800", "#777777"];
  const PLAIN = { best: "#0072b2", sample: "#009e73", unguided: "#777777", overlay: "#d55e00", unknown: "#999999" };
  // Poor to good, orange to blue through pale grey: told apart in any kind of colour vision.
  const QUALITY = [[179, 67, 0], [230, 159, 0], [222, 222, 222], [96, 170, 230], [0, 108, 190]];
  // How much: viridis (Smith & van der Walt 2015), which also grows steadily in lightness.
  const AMOUNT = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const SUPPORT = { supported: "#006cbe", weak: "#e69f00", "no density": "#b34300" };

  const along = (scale, part) => {
    const place = Math.min(Math.max(part, 0), 1) * (scale.length - 1);
    const low = Math.min(Math.floor(place), scale.length - 2);
    const mix = scale[low].map((from, i) => Math.round(from + (scale[low + 1][i] - from) * (place - low)));
    return `rgb(${mix.join(",")})`;
  };
  const key = (chain, number) => `${chain}/${number}`;
  const byValue = (rows, scale, low, high, name) => {
    const values = new Map(rows.map(([chain, number, value]) => [key(chain, number), value]));
    const colour = (atom) => {
      const value = values.get(key(atom.chain, atom.resi));
      return value == null ? PLAIN.unknown : along(scale, (value - low) / (high - low));
    };
    return { colour, legend: { scale, low, high, name } };
  };
  const byName = (rows, colours) => {
    const names = new Map(rows.map(([chain, number, name]) => [key(chain, number), name]));
    const entries = [...new Set(names.values())].map((name) => [name, colours(name)]);
    return { colour: (atom) => colours(names.get(key(atom.chain, atom.resi))), legend: { entries } };
  };
  const moved = (rows, name) => {
    const high = Math.max(1, ...rows.map((row) => row[2] ?? 0));
    return byValue(rows, AMOUNT, 0, high, name);
  };

  // numbers: residues as [chain, number, CC, pLDDT, support], displacement as {class: [chain, number, Å]}
  const colouring = (numbers, chosen) => {
    const column = (index) => numbers.residues.map((row) => [row[0], row[1], row[index]]);
    if (chosen === "cc") return byValue(column(2), QUALITY, 0.3, 0.9, "correlation with the map");
    if (chosen === "plddt") return byValue(column(3), QUALITY, 50, 90, "pLDDT");
    if (chosen === "support") return byName(column(4), (name) => SUPPORT[name] ?? PLAIN.unknown);
    if (chosen.startsWith("moved:")) return moved(numbers.displacement[chosen.slice(6)], `Å from ${chosen.slice(6)}`);
    const chains = [...new Set(numbers.residues.map((row) => row[0]))];
    const colours = (chain) => CHAINS[Math.max(chains.indexOf(chain), 0) % CHAINS.length];
    return byName(numbers.residues.map((row) => [row[0], row[1], row[0]]), colours);
  };

  const bar = (legend) => {
    const steps = 24;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", `0 0 ${steps} 1`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    for (let i = 0; i < steps; i++) {
      const box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const sides = { x: i, width: 1.05, height: 1, fill: along(legend.scale, i / (steps - 1)) };
      for (const [name, value] of Object.entries(sides)) box.setAttribute(name, value);
      svg.append(box);
    }
    return svg;
  };
  const row = (className, parts) => {
    const line = document.createElement("p");
    line.className = className;
    line.append(...parts);
    return line;
  };
  const span = (text) => {
    const element = document.createElement("span");
    element.textContent = text;
    return element;
  };
  const swatch = (colour, name) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    svg.setAttribute("class", "dot");
    svg.setAttribute("viewBox", "0 0 1 1");
    for (const [side, value] of Object.entries({ width: 1, height: 1, fill: colour })) box.setAttribute(side, value);
    svg.append(box);
    return row("named", [svg, name]);
  };
  const writeLegend = (place, legend) => {
    place.replaceChildren();
    if (!legend) return;
    if (legend.entries) {
      place.append(...legend.entries.map(([name, colour]) => swatch(colour, name ?? "not known")));
      return;
    }
    const digits = legend.high > 5 ? 0 : 1;
    const numbers = [legend.low, (legend.low + legend.high) / 2, legend.high].map((value) => span(value.toFixed(digits)));
    place.append(row("", [legend.name]), bar(legend), row("numbers", numbers));
  };
  return { PLAIN, colouring, moved, writeLegend };
})();
