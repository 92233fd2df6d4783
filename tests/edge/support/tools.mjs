// A Worker beside the isolates of a test, with their D1 and KV bound to it. A test uses it for
// everything but requests.
//
// Miniflare offers proxies of bindings for that, but each use of them blocks on a race that is
// sometimes lost on a busy machine.

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const [database, namespace, isolate] = ["DB", "KV", "ISOLATE"].map(
      (kind) => env[`${kind}_${searchParams.get("isolate")}`],
    );
    switch (pathname) {
      case "/migrate":
        for (const migration of await request.json()) await database.prepare(migration).run();
        return Response.json({});
      case "/query": {
        const { sql } = await request.json();
        return Response.json((await database.prepare(sql).all()).results);
      }
      case "/scheduled":
        return Response.json(
          await isolate.scheduled({ cron: "*/5 * * * *", scheduledTime: new Date() }),
        );
      case "/records": {
        const { keys } = await namespace.list();
        return Response.json(
          await Promise.all(
            keys.map(async (key) => ({ ...key, value: await namespace.get(key.name) })),
          ),
        );
      }
      default:
        return new Response(null, { status: 404 });
    }
  },
};
