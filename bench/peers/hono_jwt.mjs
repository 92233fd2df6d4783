// What one would write with Hono's own middleware.

import { Hono } from "hono";
import { jwt } from "hono/jwt";

const app = new Hono();

app.use("/verify/:alg", (c, next) =>
  jwt({ secret: JSON.parse(c.env.KEYS)[c.req.param("alg")], alg: c.req.param("alg") })(c, next),
);

app.get("/verify/:alg", (c) => {
  const payload = c.get("jwtPayload");
  return c.json({
    active: true,
    user: { username: payload.loginname, name: payload.name ?? null, email: payload.email ?? null },
    expiresAt: payload.exp,
  });
});

export default app;
