// The examples behind real proxies: what happens if Postern does not admit a request.

import { it } from "node:test";
import assert from "node:assert/strict";
import { expectStatus } from "../../edge/support/client.mjs";
import { makeCertificate, startFront } from "../support/neighbours.mjs";
import { alice, bearer, behindEach, carol } from "./setup.mjs";

behindEach((given, facts) => {
  it("any other answer than a yes lets nobody through", async (test) => {
    test.after(() => (given.front.canned = undefined));
    for (const status of [201, 204, 206, 301, 302, 304, 400, 401, 403, 404, 429, 500, 503]) {
      given.front.canned = { status, headers: { location: "/", "x-auth-user": "alice" } };
      const answer = await given.proxy.send({ path: "/", headers: bearer(alice()) });
      if (status >= 300) assert.equal(answer.status, facts.other(status));
      if (facts.takes.includes(status)) assert.equal(given.app.received.length, 1);
      else assert.deepEqual(given.app.received, [], `after ${status} the application is not asked`);
      given.forget();
    }
  });

  it("somebody else in Postern's place is not believed", async (test) => {
    const other = makeCertificate(given.folder, "other");
    const wary = await given.another({ trusted: other });
    test.after(() => wary.stop());
    await given.refused({ path: "/", headers: bearer(alice()) }, facts.failed, wary);
    assert.deepEqual(given.front.received, []);
  });

  it("a certificate for another name is not believed, whoever has signed it", async (test) => {
    const named = makeCertificate(given.folder, "named", ["other.example.workers.dev"]);
    const front = await startFront(given.postern, named);
    const wary = await given.another({ front, trusted: named });
    test.after(() => Promise.all([wary.stop(), front.stop()]));
    await given.refused({ path: "/", headers: bearer(alice()) }, facts.failed, wary);
    assert.deepEqual(front.received, []);
  });

  it("without Postern nobody gets through", async (test) => {
    const gone = await startFront(given.postern, given.certificate);
    const lonely = await given.another({ front: gone });
    test.after(() => Promise.all([lonely.stop(), gone.stop()]));
    expectStatus(await lonely.send({ path: "/", headers: bearer(alice()) }), 200);
    await gone.stop();
    for (const path of ["/", "/reports/", `/?token=${alice()}`]) {
      await given.refused({ path, headers: bearer(carol()) }, facts.failed, lonely);
    }
    assert.equal((await lonely.connect("/echo", bearer(carol()))).status, facts.failed);
    assert.deepEqual(given.app.received, []);
  });
});

/** Changes that make the script of an example fail. */
const BROKEN = {
  haproxy: { "local answer = ask(": "error('broken') ask(" },
  envoy: { "local headers, theirs =": "error('broken') local headers, theirs =" },
};

behindEach((given) => {
  it("where the script fails, nobody gets through", async (test) => {
    const broken = await given.another({ replaced: BROKEN[given.name] });
    test.after(() => broken.stop());
    for (const path of ["/", "/reports/"]) {
      await given.refused({ path, headers: bearer(carol()) }, 503, broken);
    }
  });
}, Object.keys(BROKEN));

behindEach(
  (given) => {
    it("a route that asks nothing is closed", async (test) => {
      const silent = await given.another({ replaced: { "config: {}": "disabled: true" } });
      test.after(() => silent.stop());
      await given.refused({ path: "/reports/", headers: bearer(carol()) }, 503, silent);
      expectStatus(await silent.send({ path: "/", headers: bearer(carol()) }), 200);
    });
  },
  ["envoy"],
);

behindEach(
  (given) => {
    it("the way to Postern is not open to clients", async () => {
      for (const path of [
        "/_postern/signed-in",
        "/_postern/may-view-1",
        "/_postern/",
        "/_postern/other",
      ]) {
        await given.refused({ path, headers: bearer(alice()) }, 404);
      }
      assert.deepEqual(given.front.received, []);
    });
  },
  ["nginx"],
);
