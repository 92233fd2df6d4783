// cedar-wasm, which decides by the entities that it is handed.

import { nodeGate } from "./node/gate.mjs";

export const cedar = nodeGate({
  name: "Node + cedar-wasm",
  can: { revocation: "no", grants: "handed over", serverless: "no", keys: "at a reload" },
  decider: "cedar.mjs",
  packages: ["@cedar-policy/cedar-wasm"],
});
