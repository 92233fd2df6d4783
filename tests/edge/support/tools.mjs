// A Worker beside the isolates of a test, with their D1 and KV bound to it: what a test needs
// besides requests goes through here.
//
// Miniflare offers the same through objects that stand for bindings, but each use of those blocks
// on a race of theirs that is lost now and then on a busy machine.

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
