"use strict";
// One 3D canvas for the whole page: a browser allows few of them. It moves to the class whose view is asked for.
(() => {
  const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#777777", "#56b4e9", "#d55e00", "#b8a800"];
  // Orange to blue through pale grey: told apart in any kind of colour vision, and by lightness in print.
  const SCALE = [[179, 67, 0], [230, 159, 0], [222, 222, 222], [96, 170, 230], [0, 108, 190]];
  const RANGES = { cc: [0.3, 0.9, "CC"], plddt: [50, 90, "pLDDT"] };
  const scaleColour = (part) => {
    const place = Math.min(Math.max(part, 0), 1) * (SCALE.length - 1);
    const low = Math.min(Math.floor(place), SCALE.length - 2);
    const mix = SCALE[low].map((from, i) => Math.round(from + (SCALE[low + 1][i] - from) * (place - low)));
    return `rgb(${mix.join(",")})`;
  };

  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  const volumeOf = async (map) => {
    const levels = await unpack(map.levels);
    const volume = new $3Dmol.VolumeData("", "values");
    const [x, y, z] = map.size;
    volume.size = { x, y, z };
    volume.unit = { x: map.voxel, y: map.voxel, z: map.voxel };
    volume.data = Float32Array.from(levels, (level) => level * map.step);
    return volume;
  };

  const host = document.createElement("div");
  host.className = "canvas";
  host.tabIndex = 0;
  host.setAttribute("aria-label", "3D view; arrow keys turn, plus and minus zoom");
  let viewer = null;
  let scene = null;

  const residueValues = (data, colouring) => {
    if (colouring.startsWith("moved:")) {
      const rows = data.displacement[colouring.slice(6)];
      const high = Math.max(1, ...rows.map((row) => row[2]));
      return { rows, range: [high, 0, "displacement in Å"] };
    }
    const column = colouring === "cc" ? 2 : 3;
    return { rows: data.residues.map((row) => [row[0], row[1], row[column]]), range: RANGES[colouring] };
  };
  const colourFunction = (data, colouring) => {
    if (colouring === "chain") {
      const chains = [...new Set(data.residues.map((row) => row[0]))];
      return { colour: (atom) => COLOURS[Math.max(chains.indexOf(atom.chain), 0) % COLOURS.length], range: null };
    }
    const { rows, range } = residueValues(data, colouring);
    const values = new Map(rows.map((row) => [`${row[0]}/${row[1]}`, row[2]]));
    const colour = (atom) => {
      const value = values.get(`${atom.chain}/${atom.resi}`);
      return value == null ? "#999999" : scaleColour((value - range[0]) / (range[1] - range[0]));
    };
    return { colour, range };
  };
  const writeLegend = (legend, range) => {
    legend.replaceChildren();
    if (!range) return;
    const steps = 24;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", `0 0 ${steps} 1`);
    svg.setAttribute("preserveAspectRatio", "none");
    for (let i = 0; i < steps; i++) {
      const box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      for (const [name, value] of [["x", i], ["width", 1.05], ["height", 1], ["fill", scaleColour(i / (steps - 1))]]) {
        box.setAttribute(name, value);
      }
      svg.append(box);
    }
    const digits = Math.max(...range.slice(0, 2)) > 5 ? 0 : 1;
    legend.append(svg, `${range[0].toFixed(digits)} to ${range[1].toFixed(digits)}, ${range[2]}`);
  };

  const drawSurface = () => {
    if (!scene.volume) return;
    const { form, data } = scene;
    const level = Number(form.contour.value) * data.map.threshold;
    form.querySelector("output").textContent = `${form.contour.value} × threshold = ${Number(level.toPrecision(3))}`;
    viewer.removeAllShapes();
    if (form.surface.value !== "none") {
      const mesh = form.surface.value === "mesh";
      viewer.addIsosurface(scene.volume, { isoval: level, color: "#7d93ab", opacity: mesh ? 0.8 : 0.5, wireframe: mesh, smoothness: 4 });
    }
    viewer.render();
  };
  const drawModels = () => {
    const { form, data } = scene;
    const shown = new Set([...form.querySelectorAll("[name=model]:checked")].map((box) => Number(box.value)));
    const fit = form.colouring && colourFunction(data, form.colouring.value);
    scene.models.forEach((model, index) => {
      const isBest = data.models[index].kind === "best";
      const colour = isBest && fit ? { colorfunc: fit.colour } : { color: COLOURS[data.models[index].colour] };
      if (!shown.has(index)) model.hide();
      else {
        model.show();
        model.setStyle({}, { cartoon: { ...colour, arrows: true } });
        model.setStyle({ hetflag: true }, { stick: colour });
      }
    });
    if (fit) writeLegend(form.querySelector(".legend"), fit.range);
    viewer.render();
  };

  const lookAtAll = () => {
    viewer.zoomTo({ model: scene.models });
    viewer.zoom(1.1 * Math.min(1, host.clientWidth / host.clientHeight));
    viewer.render();
  };
  const say = (view, text) => { view.querySelector(".state").textContent = text; };
  const show = async (view) => {
    if (scene && scene.view === view) return;
    say(view, "Loading …");
    const data = JSON.parse(document.getElementById(view.dataset.source).textContent);
    const volume = data.map ? await volumeOf(data.map) : null;
    const texts = await Promise.all(data.models.map(async (model) => new TextDecoder().decode(await unpack(model.content))));
    if (scene) scene.view.querySelector(".stage").classList.remove("drawn");
    view.querySelector(".stage").append(host);
    if (!viewer) viewer = $3Dmol.createViewer(host, { backgroundColor: "white", antialias: true });
    viewer.resize();
    viewer.removeAllModels();
    viewer.removeAllShapes();
    const models = texts.map((text) => viewer.addModel(text, "mmcif"));
    scene = { view, data, volume, models, form: view.querySelector("form") };
    drawModels();
    drawSurface();
    lookAtAll();
    view.querySelector(".stage").classList.add("drawn");
    say(view, "");
  };
  const tryShow = (view) => show(view).catch((error) => {
    host.remove();
    scene = null;
    say(view, `This browser cannot draw the 3D view (${error.message}). Open model.cif and the map in ChimeraX instead.`);
  });

  for (const view of document.querySelectorAll(".view")) {
    const form = view.querySelector("form");
    const current = async () => { await tryShow(view); return scene && scene.view === view; };
    view.querySelector(".show").addEventListener("click", () => tryShow(view));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", async (event) => {
      if (!await current()) return;
      if (event.target.name === "surface") drawSurface();
      else if (event.target.name !== "contour") drawModels();
    });
    let waiting = 0;
    if (form.contour) form.contour.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(async () => { if (await current()) drawSurface(); }, 60);
    });
    form.recentre.addEventListener("click", async () => { if (await current()) lookAtAll(); });
    const details = view.closest("details");
    if (details) details.addEventListener("toggle", () => { if (details.open && details.dataset.asked) tryShow(view); });
  }
  // A class that the reader opens shows its 3D view at once; those open from the start wait, except the first.
  for (const details of document.querySelectorAll("details.class")) {
    details.querySelector("summary").addEventListener("click", () => { details.dataset.asked = "yes"; });
  }
  const first = document.querySelector("details.class[open] .view");
  if (first) setTimeout(() => tryShow(first), 0);

  new ResizeObserver(() => {
    if (!viewer || !scene || !host.clientWidth) return;
    viewer.resize();
    lookAtAll();
  }).observe(host);

  host.addEventListener("keydown", (event) => {
    const turn = { ArrowLeft: [-10, "y"], ArrowRight: [10, "y"], ArrowUp: [-10, "x"], ArrowDown: [10, "x"] }[event.key];
    const zoom = { "+": 1.15, "=": 1.15, "-": 1 / 1.15 }[event.key];
    if (!viewer || !(turn || zoom)) return;
    event.preventDefault();
    if (turn) viewer.rotate(...turn);
    else viewer.zoom(zoom);
    viewer.render();
  });
})();
