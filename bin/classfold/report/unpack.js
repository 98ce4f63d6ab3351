"use strict";
// The page's data, unpacked when they are first asked for.
const Data = (() => {
  const parsed = new Map();
  const bytesOf = async (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  const textOf = async (text) => new TextDecoder().decode(await bytesOf(text));
  const once = (name, make) => {
    if (!parsed.has(name)) parsed.set(name, make());
    return parsed.get(name);
  };
  const block = (name) => JSON.parse(document.getElementById(name).textContent);

  const volumeOf = async (map) => {
    const levels = await bytesOf(map.levels);
    const volume = new $3Dmol.VolumeData("", "values");
    const named = ([x, y, z]) => ({ x, y, z });
    volume.size = named(map.size);
    volume.unit = named([map.voxel, map.voxel, map.voxel]);
    volume.origin = named(map.origin);
    volume.data = Float32Array.from(levels, (level) => level * map.step);
    return volume;
  };
  const classOf = (name) => once(name, async () => {
    const data = block(name);
    const [volume, numbers, ...texts] = await Promise.all(
      [volumeOf(data.map), textOf(data.numbers), ...data.models.map((model) => textOf(model.content))]);
    const models = data.models.map((model, index) => ({ kind: model.kind, label: model.label, text: texts[index] }));
    return { ...data, volume, models, numbers: JSON.parse(numbers) };
  });
  // Frames as coordinates in Å, one Float32Array each; every frame is stored as its difference from the one before.
  const morphOf = (name) => once(name, async () => {
    const data = block(name);
    const [nFrames, nResidues] = data.shape;
    const steps = new Int16Array((await bytesOf(data.differences)).buffer);
    const frames = [];
    for (let frame = 0; frame < nFrames; frame++) {
      const before = frames[frame - 1];
      const own = steps.subarray(frame * nResidues * 3, (frame + 1) * nResidues * 3);
      frames.push(Float64Array.from(own, (step, i) => step * data.step + (before ? before[i] : 0)));
    }
    return { residues: data.residues, frames };
  });
  return { block, classOf, morphOf };
})();
