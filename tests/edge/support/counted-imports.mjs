// Counts the crossings from wasm to JavaScript. Must be imported before the Worker, so that its
// wasm instance gets the counted imports.

/** Crossings by the import's name, since they were last taken. */
let crossings = {};

export function take() {
  const taken = crossings;
  crossings = {};
  return taken;
}

const { Instance } = WebAssembly;

function counted(name, value) {
  if (typeof value !== "function") return value;
  return (...values) => {
    crossings[name] = (crossings[name] ?? 0) + 1;
    return value(...values);
  };
}

// biome-ignore lint/complexity/useArrowFunction: `new` calls it, which no arrow function allows
WebAssembly.Instance = function (module, imports) {
  const entries = (group) =>
    Object.entries(group).map(([name, value]) => [name, counted(name, value)]);
  return new Instance(
    module,
    Object.fromEntries(
      Object.entries(imports).map(([name, group]) => [name, Object.fromEntries(entries(group))]),
    ),
  );
};
