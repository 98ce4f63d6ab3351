"use strict";
// The 3D views, one per target, and what their controls do. One canvas serves them all: a browser allows few.
(() => {
  const FRAMES_PER_SECOND = 20;
  const SECONDS_PER_WAY = 3;
  const host = document.createElement("div");
  host.className = "canvas";
  host.tabIndex = 0;
  host.setAttribute("role", "application");
  host.setAttribute("aria-label", "3D view; arrow keys turn, plus and minus zoom");
  let viewer = null;
  let shown = null; // { view, main, overlay, morph } of what the canvas shows

  const say = (view, text) => { view.querySelector(".state").textContent = text; };
  const indexOf = (view) => Data.block(view.dataset.source);
  const loadClass = (view, name) => Data.classOf(indexOf(view).classes.find((entry) => entry.name === name).data);
  const formOf = (view) => view.querySelector("form");

  const lookAtAll = () => {
    viewer.zoomTo(shown.models.length ? { model: shown.models } : {});
    // The library fits the models' height; their maps stand out, and a narrow picture has to hold their width.
    viewer.zoom(0.98 * Math.min(1, 0.88 * host.clientWidth / host.clientHeight));
    viewer.render();
  };

  const offerColourings = (form, main) => {
    const before = form.colouring.value;
    form.colouring.replaceChildren(...main.colourings.map(([value, text]) => new Option(text, value)));
    if (main.colourings.some(([value]) => value === before)) form.colouring.value = before;
    form.colouring.disabled = !main.colourings.length;
  };
  const writeContour = (form, main) => {
    const level = Number(form.contour.value) * main.map.threshold;
    form.querySelector("output").textContent = `${form.contour.value} × threshold = ${Number(level.toPrecision(3))}`;
  };

  const draw = () => {
    const { view, main, overlay, morph } = shown;
    const form = formOf(view);
    const part = Number(form.contour.value);
    const isOnCore = overlay && form.placed.value === "core";
    viewer.removeAllModels();
    viewer.removeAllShapes();
    const fit = form.colouring.value && !morph ? Scales.colouring(main.numbers, form.colouring.value) : null;
    const kinds = new Set([...form.querySelectorAll("[name=kind]:checked")].map((box) => box.value));
    if (morph) kinds.delete("best");
    shown.models = Scene.addModels(viewer, main, kinds, fit && fit.colour);
    if (overlay) shown.models.push(...Scene.addOverlay(viewer, overlay, main, isOnCore));
    Scene.addSurface(viewer, main, part, form.surface.value, "main");
    // Laid over by what the models share, the other map would not lie where its model does.
    if (overlay && !isOnCore) Scene.addSurface(viewer, overlay, part, form.surface.value, "overlay");
    shown.moving = morph ? Morph.add(viewer, morph) : null;
    if (shown.moving) shown.moving.move(Number(form.frame.value));
    const kept = kinds.has("best") && fit ? fit.legend : null;
    Scales.writeLegend(view.querySelector(".legend"), shown.moving ? shown.moving.legend : kept);
    writeContour(form, main);
    viewer.render();
  };

  const load = async (view) => {
    const form = formOf(view);
    const { morphs } = indexOf(view);
    const chosen = form.morph && form.morph.value !== "" ? morphs[Number(form.morph.value)] : null;
    // A morph lies in the map of the class that it starts from.
    if (chosen) form.class.value = chosen.from;
    const main = await loadClass(view, form.class.value);
    const other = form.overlay ? form.overlay.value : "";
    const overlay = other && other !== form.class.value ? await loadClass(view, other) : null;
    return { view, main, overlay, morph: chosen ? await Data.morphOf(chosen.data) : null, moving: null };
  };
  const show = async (view) => {
    const isNew = !shown || shown.view !== view;
    if (isNew) say(view, "Loading …");
    const loaded = await load(view);
    if (isNew) {
      document.querySelectorAll(".stage.drawn").forEach((stage) => stage.classList.remove("drawn"));
      view.querySelector(".stage").append(host);
      if (!viewer) viewer = $3Dmol.createViewer(host, { backgroundColor: "white", antialias: true });
      viewer.resize();
    }
    // The view stays when the class changes, but makes room for one that is laid over it.
    const isJoined = loaded.overlay && !isNew && !shown.overlay;
    shown = loaded;
    offerColourings(formOf(view), loaded.main);
    draw();
    if (isNew || isJoined) lookAtAll();
    view.querySelector(".stage").classList.add("drawn");
    view.dataset.shown = formOf(view).class.value;
    say(view, "");
  };
  // One after the other: a second choice waits for what the first one loads.
  let busy = Promise.resolve();
  const tryShow = (view) => {
    busy = busy.then(() => show(view)).catch((error) => {
      host.remove();
      shown = null;
      say(view, `This browser cannot draw the 3D view (${error.message}). Open model.cif and the map in ChimeraX instead.`);
    });
    return busy;
  };

  let playing = 0;
  const stop = () => {
    clearInterval(playing);
    playing = 0;
    document.querySelectorAll("[name=play]").forEach((button) => {
      button.textContent = "▶ Play";
      button.setAttribute("aria-pressed", "false");
    });
  };
  const moveTo = (form, part) => {
    form.frame.value = part;
    if (!shown || !shown.moving || formOf(shown.view) !== form) return stop();
    shown.moving.move(Number(form.frame.value));
    viewer.render();
  };
  const play = async (view) => {
    const form = formOf(view);
    if (playing) return stop();
    if (form.morph.value === "") form.morph.value = "0";
    await tryShow(view);
    form.play.textContent = "❚❚ Pause";
    form.play.setAttribute("aria-pressed", "true");
    let step = Number(form.frame.value) * SECONDS_PER_WAY * FRAMES_PER_SECOND;
    const nSteps = SECONDS_PER_WAY * FRAMES_PER_SECOND;
    playing = setInterval(() => {
      step = (step + 1) % (2 * nSteps);
      moveTo(form, step <= nSteps ? step / nSteps : 2 - step / nSteps);
    }, 1000 / FRAMES_PER_SECOND);
  };

  const turnClass = (view, by) => {
    const choice = formOf(view).class;
    choice.selectedIndex = (choice.selectedIndex + by + choice.length) % choice.length;
    choice.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const connect = (view) => {
    const form = formOf(view);
    const isShown = () => shown && shown.view === view;
    view.querySelector(".show").addEventListener("click", () => tryShow(view));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", ({ target }) => {
      if (target.name === "contour" || target.name === "frame") return;
      if (["class", "morph"].includes(target.name)) stop();
      // A class that is chosen is shown, not the morph of before.
      if (target.name === "class" && form.morph) form.morph.value = "";
      tryShow(view);
    });
    let waiting = 0;
    form.contour.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => tryShow(view), 60);
    });
    form.recentre.addEventListener("click", async () => { if (!isShown()) await tryShow(view); lookAtAll(); });
    if (form.next) {
      form.next.addEventListener("click", () => turnClass(view, 1));
      form.previous.addEventListener("click", () => turnClass(view, -1));
    }
    if (form.play) {
      form.play.addEventListener("click", () => play(view));
      form.frame.addEventListener("input", async () => {
        stop();
        if (form.morph.value === "") form.morph.value = "0";
        if (!isShown() || !shown.moving) await tryShow(view);
        moveTo(form, form.frame.value);
      });
    }
  };
  const views = [...document.querySelectorAll(".view")];
  views.forEach(connect);
  for (const button of document.querySelectorAll(".look")) {
    button.addEventListener("click", () => {
      const view = views.find((each) => each.dataset.source === `data.${button.dataset.view}`);
      formOf(view).class.value = button.dataset.class;
      formOf(view).class.dispatchEvent(new Event("change", { bubbles: true }));
      view.querySelector(".stage").scrollIntoView({ block: "center" });
      formOf(view).class.focus({ preventScroll: true });
    });
  }
  // Drawn when it is first seen; on a touch screen only when asked for, for its canvas would catch the scrolling finger.
  if (views.length && !matchMedia("(pointer: coarse)").matches) {
    const seen = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        seen.disconnect();
        tryShow(target.closest(".view"));
        return;
      }
    });
    views.forEach((view) => seen.observe(view.querySelector(".stage")));
  }

  new ResizeObserver(() => {
    if (!viewer || !shown || !host.clientWidth) return;
    viewer.resize();
    viewer.render();
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
