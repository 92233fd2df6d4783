// A Postern's state with so many grants, which what is measured shares.

import { join } from "node:path";
import { registerApp } from "../tests/edge/support/client.mjs";
import { deployment } from "../tests/edge/support/workerd.mjs";
import { sizes, write } from "../tests/scale/directory.mjs";
import { transfer } from "../tests/scale/support.mjs";
import { folder, postern } from "./subjects.mjs";
import { SECRET } from "./tokens.mjs";

/** How many users there are, whatever the number of grants. */
export const USERS = 100_000;
export const memberName = (index) => `user${index % USERS}`;

/** The file of the directory has some users that are disabled, whose checks would be other ones. */
const ENABLE_USERS = "UPDATE users SET enabled = 1";

/** A state with so many grants. */
export async function directory(grants) {
  const size = sizes({ grants, users: USERS, services: 10_000 });
  const [state, bindings] = [folder(), deployment()];
  const own = await postern({
    name: `Postern, ${grants.toLocaleString("en")} grants`,
    state,
    bindings,
  });
  const file = join(folder(), "grants.ndjson");
  await write(file, size);
  await registerApp(own, { secret: SECRET });
  const { ended } = transfer("restore", own.url.replace(/\/$/, ""), { FILE: file });
  const { code, stderr } = await ended;
  if (code !== 0) throw new Error(`the restore failed: ${stderr}`);
  await own.tool("migrate", [ENABLE_USERS]);
  await own.stop();
  return { state, bindings, size };
}
