// Traefik, which asks Postern. What it guards is its own `ping`.

import { setTimeout as sleep } from "node:timers/promises";
import { send } from "../../tests/edge/support/http.mjs";
import { fromPypi } from "../../tests/all/support/programs.mjs";
import { ASKS_POSTERN, gate, serve, written } from "./gate.mjs";
import { disable } from "./postern.mjs";

export const traefik = gate({
  name: "Traefik `forwardAuth` → Postern",
  can: ASKS_POSTERN,
  needs: () => fromPypi("traefik"),
  revoke: disable,
  async start({ folder, postern }) {
    const running = await serve(
      fromPypi("traefik"),
      (port) => {
        const address = `${postern.url}v1/forward-auth`;
        const http = {
          routers: {
            all: { rule: "PathPrefix(`/`)", service: "ping@internal", middlewares: ["gate"] },
          },
          middlewares: { gate: { forwardAuth: { address } } },
        };
        const rules = written(folder, "dynamic.yml", JSON.stringify({ http }));
        const fixed = {
          entryPoints: { web: { address: `127.0.0.1:${port}` } },
          providers: { file: { filename: rules } },
          ping: { manualRouting: true },
          global: { checkNewVersion: false, sendAnonymousUsage: false },
          log: { level: "ERROR" },
        };
        const args = [`--configFile=${written(folder, "traefik.yml", JSON.stringify(fixed))}`];
        return { args, env: { GOMAXPROCS: "1" }, ends: "SIGKILL" };
      },
      postern,
    );
    // It listens before it has a route.
    while ((await send(running.url, { path: "/" })).status === 404) await sleep(20);
    return running;
  },
});
