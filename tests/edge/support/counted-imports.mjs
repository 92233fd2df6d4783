// Counts what crosses from wasm to JavaScript. To be imported before the Worker, whose instance
// then gets counted imports.

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

// Called with `new`, which an arrow function refuses.
// biome-ignore lint/complexity/useArrowFunction: it is a constructor
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
