// A Worker that asks Postern who its caller is: by the binding, or by HTTP over a service binding.

import { WorkerEntrypoint } from "cloudflare:workers";

/** What the runtime takes for a call: an answer like Postern's, and nothing is looked at. */
export class Same extends WorkerEntrypoint {
  verify() {
    const user = {
      id: 2,
      username: "user-1",
      name: "Alice",
      email: "alice@example.com",
      type: "SYS_Reader",
      roles: ["SYS_Reader"],
    };
    return { ok: true, active: true, kind: "jwt", app: "ERP", user, expiresAt: 1795659839 };
  }

  check() {
    return { ok: true, allowed: true, service: 1, permission: "VIEW", user: 2 };
  }
}

const tokenOf = (request) => request.headers.get("authorization").slice(7);

export default {
  async fetch(request, env) {
    switch (new URL(request.url).pathname) {
      case "/verify": {
        const { ok, user } = await env.POSTERN.verify({ token: tokenOf(request) });
        return Response.json(user, { status: ok ? 200 : 401 });
      }
      case "/check": {
        const { ok, allowed } = await env.POSTERN.check({
          service: 1,
          permission: "VIEW",
          token: tokenOf(request),
        });
        return Response.json(allowed, { status: ok ? 200 : 401 });
      }
      case "/verify-same":
        return Response.json((await env.SAME.verify({ token: tokenOf(request) })).user);
      case "/check-same":
        return Response.json(
          (await env.SAME.check({ service: 1, permission: "VIEW", token: tokenOf(request) }))
            .allowed,
        );
      case "/verify-http": {
        const answer = await env.HTTP.fetch("http://postern/v1/verify", {
          headers: { authorization: request.headers.get("authorization") },
        });
        const { user } = await answer.json();
        return Response.json(user, { status: answer.status });
      }
      case "/check-http": {
        const answer = await env.HTTP.fetch("http://postern/v1/check?service=1&permission=VIEW", {
          headers: { authorization: request.headers.get("authorization") },
        });
        const { allowed } = await answer.json();
        return Response.json(allowed, { status: answer.status });
      }
      default:
        return Response.json({ authorization: tokenOf(request).length });
    }
  },
};
