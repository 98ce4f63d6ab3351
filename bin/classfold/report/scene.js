"use strict";
// What is drawn of the chosen classes: their models and the surfaces of their maps, in one frame.
const Scene = (() => {
  const SURFACES = { main: ["#7d93ab", 0.5], overlay: ["#d9a066", 0.4] };

  // y = R x + t brings a class onto the first; back with the transpose.
  const onto = ({ rotation, translation }, [x, y, z]) => rotation.map((row, i) => row[0] * x + row[1] * y + row[2] * z + translation[i]);
  const back = ({ rotation, translation }, point) => {
    const [x, y, z] = point.map((value, i) => value - translation[i]);
    return [0, 1, 2].map((i) => rotation[0][i] * x + rotation[1][i] * y + rotation[2][i] * z);
  };
  const layOver = (model, pose, mainPose) => {
    for (const atom of model.selectedAtoms({})) {
      [atom.x, atom.y, atom.z] = back(mainPose, onto(pose, [atom.x, atom.y, atom.z]));
    }
  };

  const paint = (model, colour) => {
    model.setStyle({}, { cartoon: { ...colour, arrows: true } });
    model.setStyle({ hetflag: true }, { stick: colour });
  };
  const addModels = (viewer, main, kinds, colour) => main.models.filter((model) => kinds.has(model.kind)).map((model) => {
    const added = viewer.addModel(model.text, "mmcif");
    paint(added, model.kind === "best" && colour ? { colorfunc: colour } : { color: Scales.PLAIN[model.kind] });
    return added;
  });
  const addOverlay = (viewer, overlay, main, isOnCore) => {
    const best = overlay.models.find((model) => model.kind === "best");
    if (!best) return [];
    const added = viewer.addModel(best.text, "mmcif");
    if (isOnCore && overlay.pose && main.pose) layOver(added, overlay.pose, main.pose);
    paint(added, { color: Scales.PLAIN.overlay });
    return [added];
  };
  const addSurface = (viewer, data, part, how, name) => {
    if (how === "none") return;
    const [color, opacity] = SURFACES[name];
    const isMesh = how === "mesh";
    viewer.addIsosurface(data.volume, { isoval: part * data.map.threshold, color, opacity: isMesh ? 0.8 : opacity,
      wireframe: isMesh, smoothness: 4 });
  };
  return { addModels, addOverlay, addSurface };
})();
