// What one would write with Hono and jose: a key imported once, jwtVerify for each request. KEYS is
// JSON: { alg: key }, a shared secret for HS and an SPKI PEM for the others.

import { Hono } from "hono";
import { importSPKI, jwtVerify } from "jose";

const keys = new Map();

async function keyOf(env, alg) {
  let key = keys.get(alg);
  if (!key) {
    const text = JSON.parse(env.KEYS)[alg];
    const hash = { HS256: "SHA-256" }[alg];
    key = hash
      ? await crypto.subtle.importKey(
          "raw",
          new TextEncoder().encode(text),
          { name: "HMAC", hash },
          false,
          ["verify"],
        )
      : await importSPKI(text, alg);
    keys.set(alg, key);
  }
  return key;
}

const app = new Hono();

app.get("/verify/:alg", async (c) => {
  const authorization = c.req.header("authorization") ?? "";
  if (!authorization.startsWith("Bearer ")) return c.json({ active: false }, 401);
  const alg = c.req.param("alg");
  try {
    const { payload } = await jwtVerify(authorization.slice(7), await keyOf(c.env, alg), {
      algorithms: [alg],
      clockTolerance: 60,
    });
    return c.json({
      active: true,
      user: {
        username: payload.loginname,
        name: payload.name ?? null,
        email: payload.email ?? null,
      },
      expiresAt: payload.exp,
    });
  } catch {
    return c.json({ active: false }, 401);
  }
});

export default app;
