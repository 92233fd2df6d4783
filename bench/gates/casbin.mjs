// casbin goes through all policies for each question, so it is loaded with those of the services
// that are asked about.

import { nodeGate } from "./node/gate.mjs";

export const casbin = nodeGate({
  name: "Node + casbin",
  can: { revocation: "no", grants: "yes", serverless: "no", keys: "at a reload" },
  decider: "casbin.mjs",
  packages: ["casbin"],
  some: true,
});
