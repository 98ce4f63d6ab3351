"use strict";
// The trace of a morph in the viewer: straight lines between its frames, coloured by how far each residue goes.
const Morph = (() => {
  const FARTHEST_STEP = 8; // Å; what is farther apart is no chain
  const place = (frames, part) => {
    const at = Math.min(Math.max(part, 0), 1) * (frames.length - 1);
    const low = Math.min(Math.floor(at), Math.max(frames.length - 2, 0));
    const [from, to] = [frames[low], frames[Math.min(low + 1, frames.length - 1)]];
    return from.map((value, i) => value + (to[i] - value) * (at - low));
  };
  const distance = (a, i, b, j) => Math.hypot(a[3 * i] - b[3 * j], a[3 * i + 1] - b[3 * j + 1], a[3 * i + 2] - b[3 * j + 2]);

  const atomsOf = ({ residues, frames }) => {
    const first = frames[0];
    const isJoined = (i, j) => i >= 0 && j < residues.length && residues[i][0] === residues[j][0]
      && distance(first, i, first, j) < FARTHEST_STEP;
    return residues.map(([chain, resi], i) => {
      const bonds = [i - 1, i + 1].filter((j) => isJoined(Math.min(i, j), Math.max(i, j)));
      return { elem: "C", atom: "CA", resn: "UNK", chain, resi, serial: i, bonds, bondOrder: bonds.map(() => 1),
        x: first[3 * i], y: first[3 * i + 1], z: first[3 * i + 2] };
    });
  };
  const colouring = ({ residues, frames }) => {
    const last = frames[frames.length - 1];
    const rows = residues.map(([chain, number], i) => [chain, number, distance(frames[0], i, last, i)]);
    return Scales.moved(rows, "Å from the first to the last frame");
  };

  // Adds the trace to a viewer; returns what moves it to a part, 0 to 1, of its way, and its legend.
  const add = (viewer, morph) => {
    const model = viewer.addModel();
    model.addAtoms(atomsOf(morph));
    const atoms = model.selectedAtoms({});
    const { colour, legend } = colouring(morph);
    const style = { stick: { radius: 0.45, colorfunc: colour } };
    const move = (part) => {
      const now = place(morph.frames, part);
      atoms.forEach((atom, i) => { [atom.x, atom.y, atom.z] = [now[3 * i], now[3 * i + 1], now[3 * i + 2]]; });
      model.setStyle({}, style);
    };
    return { move, legend };
  };
  return { add };
})();
