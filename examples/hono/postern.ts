// A Hono middleware that asks Postern by a service binding. Copy it together with gate.d.ts.

import type { Context, MiddlewareHandler } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Answer, CheckAsked, Failure, Gate, Identity, Int64 } from "./gate";

export type Postern = {
  Bindings: { POSTERN: Gate };
  /** `app` is the token app that accepted the token. One of Postern's own tokens has none. */
  Variables: { user: Identity; token: string; app?: string };
};

type Options = {
  /** The cookie that has the token, if there is no `Authorization`. */
  cookie?: string;
  /** The only token app whose tokens are accepted. */
  app?: string;
};

/** Admits requests with a valid token, and sets `c.var.user`. */
export function signedIn({ cookie, app }: Options = {}): MiddlewareHandler<Postern> {
  return async (c, next) => {
    const token = tokenOf(c, cookie);
    if (typeof token !== "string") return refuse(c, token);
    const verified = await answerOf(c.env.POSTERN.verify({ token, app }));
    if (!verified.ok) return refuse(c, verified);
    if (!verified.user)
      return refuse(c, failure(403, "Forbidden", "a key for machines is no user"));
    c.set("user", verified.user);
    c.set("token", token);
    c.set("app", verified.app);
    await next();
  };
}

/**
 * Admits users with the permission on the service. Use it behind `signedIn`. It asks about the
 * token instead of the user's id, so that groups that only the token names are counted.
 */
export function permission(
  service: Int64 | ((c: Context<Postern>) => Int64),
  permission: CheckAsked["permission"],
): MiddlewareHandler<Postern> {
  return async (c, next) => {
    const id = typeof service === "function" ? service(c) : service;
    const checked = await answerOf(
      // Another app may accept the same token for another user.
      c.env.POSTERN.check({ token: c.var.token, app: c.var.app, service: id, permission }),
    );
    if (!checked.ok) return refuse(c, checked);
    if (!checked.allowed) return refuse(c, NOT_PERMITTED);
    await next();
  };
}

const MISSING = failure(401, "Unauthorized", "there is no credential", 'Bearer realm="postern"');
const TWO_COOKIES = failure(400, "Bad Request", "the cookie with the token is there twice");
const CROSS_ORIGIN = failure(
  403,
  "Forbidden",
  "a page of another origin may not use the cookie to change something",
);
const NOT_PERMITTED = failure(
  403,
  "Forbidden",
  "the user lacks the permission",
  'Bearer realm="postern", error="insufficient_scope"',
);
const BROKEN = failure(503, "Service Unavailable", "Postern does not answer; try again");

/**
 * The token, or why there is none. If there is an `Authorization`, it decides, even if it is
 * invalid.
 */
function tokenOf(c: Context<Postern>, cookie?: string): string | Failure {
  const authorization = c.req.header("authorization");
  if (authorization !== undefined) return /^bearer +(\S+)$/i.exec(authorization)?.[1] ?? MISSING;
  const pairs = (c.req.header("cookie") ?? "").split(";").map((pair) => pair.trim());
  const [found, another] = cookie ? pairs.filter((pair) => pair.startsWith(`${cookie}=`)) : [];
  if (!cookie || !found) return MISSING;
  if (another) return TWO_COOKIES;
  // Browsers also send cookies with requests from pages of other origins. A GET may open a
  // WebSocket, which may then do anything.
  const onlyReads = ["GET", "HEAD"].includes(c.req.method) && !c.req.header("upgrade");
  if (!onlyReads && isCrossOrigin(c)) return CROSS_ORIGIN;
  return found.slice(cookie.length + 1);
}

/** Browsers say which page sends a request. Other clients with cookies have no pages of others. */
function isCrossOrigin(c: Context<Postern>): boolean {
  const [origin, site] = [c.req.header("origin"), c.req.header("sec-fetch-site")];
  const isOther = origin !== undefined && origin !== new URL(c.req.url).origin;
  return isOther || (site !== undefined && site !== "same-origin" && site !== "none");
}

/** If Postern fails or cannot be reached, the call is rejected, and nobody is admitted. */
const answerOf = <T>(call: Promise<Answer<T>>): Promise<Answer<T>> => call.catch(() => BROKEN);

function refuse(c: Context<Postern>, { ok: _, headers, ...problem }: Failure) {
  return c.body(JSON.stringify(problem), problem.status as ContentfulStatusCode, {
    ...headers,
    "cache-control": "no-store",
    "content-type": "application/problem+json",
  });
}

function failure(status: number, title: string, detail: string, challenge?: string): Failure {
  const headers: Record<string, string> = challenge ? { "www-authenticate": challenge } : {};
  return { ok: false, headers, type: "about:blank", title, status, detail };
}
