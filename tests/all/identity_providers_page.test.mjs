// Runs the commands of docs/identity-providers.md unchanged, by bash and curl, against the Worker.

import assert from "node:assert/strict";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, after, it } from "node:test";
import * as jose from "jose";
import { expectStatus, verifyBearer } from "../edge/support/client.mjs";
import { ADMIN_PASSWORD, startWorkerd, top } from "../edge/support/workerd.mjs";
import { succeed, workFolder } from "./support/programs.mjs";

const PAGE = readFileSync(join(top, "docs/identity-providers.md"), "utf8");
const ISSUER = "https://idp.example/realms/main";
/** The shell prints this line after each block. */
const END = "-- the end of a block --";

/** The page's commands, each with the answer that the page shows for it, if there is one. */
const blocks = [...PAGE.matchAll(/^```sh\n([\s\S]*?)^```\n(?:```json\n([\s\S]*?)^```\n)?/gm)].map(
  ([, commands, answer]) => ({ commands, answer: answer && JSON.parse(answer) }),
);

let workerd;
let postern;
let privateKey;

before(async () => {
  const pair = await jose.generateKeyPair("RS256");
  ({ privateKey } = pair);
  const web = {
    [`${ISSUER}/.well-known/openid-configuration`]: {
      issuer: ISSUER,
      jwks_uri: `${ISSUER}/protocol/openid-connect/certs`,
      id_token_signing_alg_values_supported: ["RS256"],
    },
    [`${ISSUER}/protocol/openid-connect/certs`]: {
      keys: [{ ...(await jose.exportJWK(pair.publicKey)), kid: "1", alg: "RS256", use: "sig" }],
    },
  };
  const outbound = ({ url }) =>
    web[url] ? { status: 200, body: JSON.stringify(web[url]) } : { status: 404 };
  workerd = await startWorkerd({ isolates: [{ outbound }] });
  [postern] = workerd.isolates;
});

after(() => workerd?.stop());

/** The output of each block, in a folder that looks like a checkout in which make dev runs. */
async function typed() {
  const folder = workFolder("identity-providers-page");
  symlinkSync(join(top, "scripts"), join(folder, "scripts"));
  writeFileSync(join(folder, ".dev.vars"), `ADMIN_PASSWORD='${ADMIN_PASSWORD}'\n`);
  const { host } = new URL(postern.url);
  const commands = blocks.map(({ commands }) => commands.replaceAll("localhost:8787", host));
  const ended = commands.map((one) => `${one}\necho; echo '${END}'`);
  const script = ["set -euo pipefail", ...ended].join("\n");
  const output = await succeed("bash", ["-c", script], { cwd: folder });
  return output.split(END).map((text) => text.trim());
}

const withoutTimes = (answer) => ({ ...answer, expiresAt: undefined });

it("does what it says", async () => {
  assert.equal(blocks.length, 6);
  const printed = await typed();
  for (const [index, { answer }] of blocks.entries()) {
    if (!answer) continue;
    assert.deepEqual(withoutTimes(JSON.parse(printed[index])), withoutTimes(answer));
  }
  const [company, trial, , , , deleted] = printed;
  for (const [name, text] of Object.entries({ Company: company, Trial: trial })) {
    const app = JSON.parse(text);
    assert.deepEqual([app.name, app.audiences, app.warnings], [name, ["reports"], undefined], text);
  }
  assert.equal(deleted, "");
});

it("has registered a provider whose tokens are taken", async () => {
  const claims = { preferred_username: "grace", realm_access: { roles: ["sales", "other"] } };
  const signed = (audience) =>
    new jose.SignJWT(claims)
      .setProtectedHeader({ alg: "RS256", kid: "1" })
      .setIssuer(ISSUER)
      .setAudience(audience)
      .setIssuedAt()
      .setExpirationTime("10m")
      .sign(privateKey);
  const right = await verifyBearer(postern, await signed(["account", "reports"]));
  const { app, user } = expectStatus(right, 200).json;
  assert.deepEqual([app, user.username, user.roles], ["Company", "grace", ["sales"]]);
  expectStatus(await verifyBearer(postern, await signed("account")), 401);
});
