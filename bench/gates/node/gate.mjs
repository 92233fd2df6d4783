// How a decider in this folder becomes a gate.

import { accessSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gate, serve } from "../gate.mjs";
import { KEYS, bearer } from "../tokens.mjs";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The file of D1 under a state. */
export function databaseOf(state) {
  const folder = join(state, "d1/miniflare-D1DatabaseObject");
  const files = readdirSync(folder).filter((file) => /^[0-9a-f]+\.sqlite$/.test(file));
  if (files.length !== 1) throw new Error(`${folder} has ${files.length} databases`);
  return join(folder, files[0]);
}

const distinct = (list) => [...new Set(list)];

/** With `some` it has the grants of the services that are asked about, instead of all. */
export const nodeGate = ({ decider, packages, some = false, ...one }) =>
  gate({
    can: { revocation: "no", grants: "yes", serverless: "no", keys: "at a reload" },
    needs: () => packages.forEach((name) => accessSync(here(`../../node_modules/${name}`))),
    algorithms: [],
    check: ({ token, service }) => ({
      path: `/?service=${service}&permission=VIEW`,
      headers: bearer(token),
    }),
    start({ state, questions }) {
      const all = Object.values(questions).flat();
      const asked = {
        services: distinct(all.map(({ service }) => service)),
        usernames: distinct(all.map(({ username }) => username)),
      };
      const options = { secret: KEYS.HS256, file: databaseOf(state), ...(some && asked) };
      return serve(process.execPath, (port) => ({
        args: [here("server.mjs"), String(port), here(decider), JSON.stringify(options)],
      }));
    },
    ...one,
  });
