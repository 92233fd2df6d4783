// What one would write with Hono, jose, Drizzle and D1 for a permission check, on the same tables:
// verify the token, find the user, and ask for the grants that reach them: their own, their groups'
// and their departments'. The departments above are left out: it does less.

import { and, eq, or, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { Hono } from "hono";
import { jwtVerify } from "jose";

const users = sqliteTable("users", {
  id: integer("id").primaryKey(),
  username: text("username"),
  type: text("type"),
  enabled: integer("enabled"),
});
const memberships = sqliteTable("memberships", {
  userId: integer("user_id"),
  objectType: text("object_type"),
  objectId: integer("object_id"),
});
const grants = sqliteTable("grants", {
  id: integer("id").primaryKey(),
  serviceId: integer("service_id"),
  objectType: text("object_type"),
  objectId: integer("object_id"),
  permissions: integer("permissions"),
});

const BITS = {
  ADD: 1,
  VIEW: 2,
  MODIFY: 4,
  DELETE: 8,
  TEST: 16,
  GRANT: 32,
  SHARE: 64,
  RELEASE: 128,
  EXPORT: 256,
};
let key;

const app = new Hono();

app.get("/check", async (c) => {
  const authorization = c.req.header("authorization") ?? "";
  key ??= await crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode(JSON.parse(c.env.KEYS).HS256),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["verify"],
  );
  let payload;
  try {
    ({ payload } = await jwtVerify(authorization.slice(7), key, {
      algorithms: ["HS256"],
      clockTolerance: 60,
    }));
  } catch {
    return c.json({ allowed: false }, 401);
  }
  const service = Number(c.req.query("service"));
  const permission = c.req.query("permission");
  const db = drizzle(c.env.DB);
  const [user] = await db
    .select()
    .from(users)
    .where(eq(users.username, payload.loginname))
    .limit(1);
  if (!user?.enabled) return c.json({ allowed: false }, 403);
  const rows = await db
    .select({ permissions: grants.permissions })
    .from(grants)
    .where(
      and(
        eq(grants.serviceId, service),
        or(
          and(eq(grants.objectType, "USER"), eq(grants.objectId, user.id)),
          sql`(${grants.objectType}, ${grants.objectId}) IN (
            SELECT ${memberships.objectType}, ${memberships.objectId} FROM ${memberships}
            WHERE ${memberships.userId} = ${user.id})`,
        ),
      ),
    );
  const bits = rows.reduce((all, row) => all | row.permissions, 0);
  const allowed = user.type === "Administrator" || (bits & BITS[permission]) !== 0;
  return c.json({ allowed, service, permission, user: user.id });
});

export default app;
