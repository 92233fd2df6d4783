// Node with better-sqlite3: what a server of one's own with a database beside it costs.

import { open } from "./node/directory.mjs";
import { databaseOf, nodeGate } from "./node/gate.mjs";

export const sqlite = nodeGate({
  name: "Node + better-sqlite3",
  can: { revocation: "yes", grants: "yes", serverless: "no", keys: "at a reload" },
  revoke({ state }, _running, username) {
    const database = open(databaseOf(state));
    database.prepare("UPDATE users SET enabled = 0 WHERE username = ?").run(username);
    database.close();
  },
  decider: "sqlite.mjs",
  packages: ["better-sqlite3"],
});
