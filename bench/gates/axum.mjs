// A server in Rust, bench/peers/axum/, which scripts/bench.sh builds.

import { accessSync } from "node:fs";
import { join } from "node:path";
import { top } from "../../tests/edge/support/workerd.mjs";
import { VERIFIES_ONLY, gate, serve, written } from "./gate.mjs";
import { KEYS } from "./tokens.mjs";

const built = join(top, ".build/axum/release/axum-gate");

export const axum = gate({
  name: "axum + jsonwebtoken",
  can: VERIFIES_ONLY,
  needs: () => accessSync(built),
  start: ({ folder }) =>
    serve(built, (port) => ({
      args: [String(port), written(folder, "keys.json", JSON.stringify(KEYS))],
    })),
});
