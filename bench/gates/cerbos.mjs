// Cerbos, which holds policies and no grants: they come with each question, and so do the user's
// units. It verifies the token too.

import { accessSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../tests/all/support/processes.mjs";
import { top } from "../../tests/edge/support/workerd.mjs";
import { byStatus, gate, serve, written } from "./gate.mjs";
import { JWKS } from "./tokens.mjs";

const machine = `${process.platform}-${process.arch}`;
const binary = join(top, `bench/node_modules/@cerbos/cerbos-${machine}/cerbos-${machine}`);

const EXPRESSION =
  "request.aux_data.jwt.loginname == P.id && R.attr.VIEW.exists(who, who in P.attr.reach)";

const POLICY = {
  apiVersion: "api.cerbos.dev/v1",
  resourcePolicy: {
    version: "default",
    resource: "service",
    rules: [
      {
        actions: ["VIEW"],
        effect: "EFFECT_ALLOW",
        roles: ["user"],
        condition: {
          match: {
            expr: EXPRESSION,
          },
        },
      },
    ],
  },
};

export const cerbos = gate({
  name: "Cerbos",
  can: { revocation: "no", grants: "handed over", serverless: "no", keys: "at a reload" },
  needs: () => accessSync(binary),
  algorithms: [],
  check: ({ token, username, service, reach, holders }) => ({
    method: "POST",
    path: "/api/check/resources",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      principal: { id: username, roles: ["user"], attr: { reach } },
      resources: [
        {
          resource: { kind: "service", id: String(service), attr: { VIEW: holders } },
          actions: ["VIEW"],
        },
      ],
      auxData: { jwt: { token } },
    }),
  }),
  verdict(answer) {
    // It has no 401.
    if (answer.status === 400 && /jwt|auxData|token/i.test(answer.text)) return "unauthorized";
    const effect = answer.json?.results?.[0]?.actions?.VIEW;
    if (answer.status === 200 && effect) return effect === "EFFECT_ALLOW" ? "allowed" : "denied";
    return byStatus(answer);
  },
  async start({ folder }) {
    const policies = join(folder, "policies");
    mkdirSync(policies);
    written(policies, "service.yaml", JSON.stringify(POLICY));
    const keys = written(folder, "keys.jwks", JSON.stringify(JWKS));
    const grpc = await freePort();
    return serve(binary, (port) => {
      const configuration = {
        server: { httpListenAddr: `127.0.0.1:${port}`, grpcListenAddr: `127.0.0.1:${grpc}` },
        storage: { driver: "disk", disk: { directory: policies, watchForChanges: false } },
        auxData: { jwt: { keySets: [{ id: "erp", local: { file: keys } }] } },
        audit: { enabled: false },
        telemetry: { disabled: true },
      };
      const file = written(folder, "cerbos.yaml", JSON.stringify(configuration));
      return {
        args: ["server", "--log-level=error", `--config=${file}`],
        env: { GOMAXPROCS: "1" },
      };
    });
  },
});
