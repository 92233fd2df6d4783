// The command line of `make backup` and `make restore`: what it exports and imports, how it reports
// wrong lines, and how it continues after it was killed. A proxy stands between it and Postern, so
// that it can be killed at a chosen moment.

import { test } from "node:test";
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { sizes, write } from "../scale/directory.mjs";
import { tallyOf, transfer } from "../scale/support.mjs";
import { admin, expectStatus } from "./support/client.mjs";
import { deployment, startPostern, stateFolder } from "./support/workerd.mjs";

const SIZE = sizes({ grants: 4000, users: 500, services: 40 });
/** Bytes of a request. A small number makes many requests. */
const REQUEST_BYTES = 20_000;

/**
 * A proxy in front of Postern. `interfere(number)` decides about each request, counted from 0:
 * undefined forwards it, "unheard" hangs before Postern gets it, "unanswered" hangs after Postern
 * has answered, "reset" closes the connection, "cut" closes it in the middle of the answer, and a
 * number is answered as the status.
 */
async function proxy(test, postern) {
  const proxied = { interfere: () => undefined, count: 0, hung: undefined };
  const server = http.createServer(async (request, response) => {
    const deed = proxied.interfere(proxied.count++);
    if (deed === "unheard") return proxied.hung?.();
    if (deed === "reset") return request.socket.destroy();
    if (typeof deed === "number") return response.writeHead(deed).end("{}");
    const headers = { ...request.headers, host: new URL(postern.url).host };
    const passed = http.request(
      new URL(request.url, postern.url),
      { method: request.method, headers, agent: false },
      async (answer) => {
        const body = [];
        for await (const chunk of answer) body.push(chunk);
        const whole = Buffer.concat(body);
        if (deed === "unanswered") return proxied.hung?.();
        delete answer.headers["transfer-encoding"];
        response.writeHead(answer.statusCode, {
          ...answer.headers,
          "content-length": whole.length,
        });
        if (deed !== "cut") return response.end(whole);
        response.write(
          whole.subarray(0, whole.length / 2 + 7),
          () => proxied.hung?.() ?? setTimeout(() => request.socket.destroy(), 100),
        );
      },
    );
    request.pipe(passed);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  proxied.url = `http://127.0.0.1:${server.address().port}`;
  return proxied;
}

async function prepare(test) {
  const folder = stateFolder(test);
  const postern = await startPostern(test, { bindings: deployment(), folder });
  return {
    folder,
    postern,
    file: join(folder, "directory.ndjson"),
    target: await proxy(test, postern),
  };
}

async function succeeds(running) {
  const { code, stdout, stderr } = await running.ended;
  assert.equal(code, 0, stdout + stderr);
  return stdout;
}

async function exported(postern, folder, name = "exported.ndjson") {
  const file = join(folder, name);
  await succeeds(transfer("backup", postern.url, { FILE: file }));
  assert.equal(existsSync(`${file}.partial`) || existsSync(`${file}.progress`), false);
  return file;
}

/** Runs the command until the proxy hangs, and kills it then. */
async function killWhereItHangs(target, start) {
  const hung = new Promise((done) => {
    target.hung = () => {
      done();
      return true;
    };
  });
  const running = start();
  await Promise.race([
    hung,
    running.ended.then(({ stderr }) => assert.fail(`it ended by itself: ${stderr}`)),
  ]);
  running.child.kill("SIGKILL");
  assert.equal((await running.ended).signal, "SIGKILL");
  target.hung = undefined;
  target.interfere = () => undefined;
}

test("an export imports into an empty Postern as the same state, in both formats", async (test) => {
  const { folder, postern, file } = await prepare(test);
  const tally = await write(file, SIZE);
  const said = await succeeds(transfer("restore", postern.url, { FILE: file }));
  assert.match(said, /restored [\d,]+ records in 0:\d\d, [\d,]+\/s, with at most \d+ MB of memory/);
  const first = await exported(postern, folder);
  assert.deepEqual(await tallyOf(first), tally);

  const csv = await exported(postern, folder, "exported.csv");
  for (const copy of [first, csv]) {
    // A Postern with the same master key opens the sealed values.
    const other = await startPostern(test, { bindings: postern.bindings });
    await succeeds(transfer("restore", other.url, { FILE: copy, REQUEST_BYTES }));
    const again = await exported(other, folder, "again.ndjson");
    assert.equal(readFileSync(again, "utf8"), readFileSync(first, "utf8"), copy);
  }

  await succeeds(transfer("restore", postern.url, { FILE: file }));
  assert.deepEqual(
    await tallyOf(await exported(postern, folder, "twice.ndjson")),
    tally,
    "twice is once",
  );
});

test("keys with two secrets are restored wherever a request ends", async (test) => {
  const { folder, postern } = await prepare(test);
  const secrets = [];
  for (let number = 0; number < 12; number += 1) {
    const json = { name: `machine ${number}`, may: ["decisions"] };
    const made = expectStatus(
      await postern.send({ method: "POST", path: "/v1/keys", headers: admin, json }),
      201,
    ).json;
    const path = `/v1/keys/${made.id}/secret`;
    secrets.push(
      made.key,
      expectStatus(await postern.send({ method: "POST", path, headers: admin }), 201).json.key,
    );
  }
  for (const format of ["ndjson", "csv"]) {
    const file = await exported(postern, folder, `keys.${format}`);
    const longest = Math.max(
      ...readFileSync(file, "utf8")
        .split("\n")
        .map((line) => line.length),
    );
    const head = format === "csv" ? readFileSync(file, "utf8").indexOf("\n") + 1 : 0;
    const other = await startPostern(test, { bindings: postern.bindings });
    await succeeds(
      transfer("restore", other.url, { FILE: file, REQUEST_BYTES: head + 3 * longest }),
    );
    assert.equal(
      readFileSync(await exported(other, folder, `again.${format}`), "utf8"),
      readFileSync(file, "utf8"),
    );
    for (const key of secrets)
      expectStatus(
        await other.send({ path: "/v1/verify", headers: { authorization: `Bearer ${key}` } }),
        200,
      );
  }
});

test("a key for machines restores in place of a password", async (test) => {
  const { folder, postern, file } = await prepare(test);
  writeFileSync(file, `${JSON.stringify(grant())}\n`);
  const json = { name: "importer", may: ["provisioning"] };
  const { key } = expectStatus(
    await postern.send({ method: "POST", path: "/v1/keys", headers: admin, json }),
    201,
  ).json;
  assert.match(
    await succeeds(transfer("restore", postern.url, { FILE: file, PASSWORD: key })),
    /restored 1 record in/,
  );
  assert.equal((await tallyOf(await exported(postern, folder))).counts.grant, 1);
});

for (const moment of ["unheard", "unanswered"]) {
  test(`an import that is killed at an ${moment} request can be repeated`, async (test) => {
    const { folder, postern, file, target } = await prepare(test);
    const tally = await write(file, SIZE);
    target.interfere = (number) => (number === 10 ? moment : undefined);
    const start = () => transfer("restore", target.url, { FILE: file, REQUEST_BYTES });
    await killWhereItHangs(target, start);
    assert.equal(existsSync(`${file}.progress`), true);

    target.count = 0;
    const said = await succeeds(start());
    const [, line] = /^going on behind line ([\d,]+)/.exec(said);
    assert.ok(Number(line.replaceAll(",", "")) > 0);
    const total = Object.values(tally.counts).reduce((sum, count) => sum + count);
    assert.ok(target.count < total / 50, "the requests before are not sent again");
    assert.equal(existsSync(`${file}.progress`), false);
    assert.deepEqual(await tallyOf(await exported(postern, folder)), tally);
  });
}

test("a progress file is used only for its own file and its own Postern", async (test) => {
  const { folder, postern, file, target } = await prepare(test);
  await write(file, SIZE);
  const killInTheMidst = async () => {
    Object.assign(target, {
      count: 0,
      interfere: (number) => (number === 10 ? "unheard" : undefined),
    });
    await killWhereItHangs(target, () =>
      transfer("restore", target.url, { FILE: file, REQUEST_BYTES }),
    );
  };
  await killInTheMidst();
  const other = await startPostern(test, { bindings: deployment() });
  assert.match(await succeeds(transfer("restore", other.url, { FILE: file })), /^restoring/);

  await killInTheMidst();
  writeFileSync(file, readFileSync(file, "utf8").replace("Service 1", "Service one"));
  assert.match(await succeeds(transfer("restore", target.url, { FILE: file })), /^restoring/);
  assert.match(readFileSync(await exported(postern, folder), "utf8"), /"Service one"/);
});

for (const format of ["ndjson", "csv"]) {
  test(`an export as ${format} that is killed within a line continues there`, async (test) => {
    const { folder, postern, file, target } = await prepare(test);
    await write(file, SIZE);
    await succeeds(transfer("restore", postern.url, { FILE: file }));
    const expected = readFileSync(await exported(postern, folder, `expected.${format}`), "utf8");

    const result = join(folder, `result.${format}`);
    const start = () => transfer("backup", target.url, { FILE: result });
    target.interfere = () => "cut";
    const partial = `${result}.partial`;
    await killWhereItHangs(target, start);
    const half = existsSync(partial) ? readFileSync(partial, "utf8") : "";
    assert.ok(expected.startsWith(half));
    // Simulates that the killed command had written half of the file, which ends within a line.
    writeFileSync(partial, expected.slice(0, expected.length / 2));
    assert.match(await succeeds(start()), /^going on behind [\d,]+ records/);
    assert.equal(readFileSync(result, "utf8"), expected);

    target.count = 0;
    target.interfere = (number) => (number === 0 ? "cut" : undefined);
    const { code, stderr } = await start().ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /trying again/);
    assert.equal(
      readFileSync(result, "utf8"),
      expected,
      "a connection that is lost is no matter either",
    );
  });
}

test("what passes is tried again, and a token that expired underway is replaced", async (test) => {
  const { folder, postern, file, target } = await prepare(test);
  const tally = await write(file, SIZE);
  const deeds = { 3: 503, 5: "reset", 8: 401 };
  target.interfere = (number) => deeds[number];
  const { code, stderr } = await transfer("restore", target.url, { FILE: file, REQUEST_BYTES })
    .ended;
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    /Postern answered 503; trying again in 0\.5 s\nno answer \(\S.*\); trying again in 0\.5 s\n/,
  );
  assert.deepEqual(await tallyOf(await exported(postern, folder)), tally);
});

const grant = (changes) => ({
  record: "grant",
  serviceId: 1,
  authObjectType: "USER",
  authObjectId: 2,
  permissions: ["VIEW"],
  ...changes,
});

test("a wrong line is reported by number, and its request writes nothing", async (test) => {
  const { folder, postern, file } = await prepare(test);
  const lines = Array.from({ length: 600 }, (_, index) =>
    JSON.stringify(grant({ authObjectId: index })),
  );
  // With a byte order mark, Windows line ends and blank lines, which must not shift the numbers.
  const text = (wrong) => {
    const [before, between, after] = [lines.slice(0, 100), lines.slice(100, 400), lines.slice(400)];
    return `\ufeff${[...before, "", " ", ...between, ...wrong, ...after].join("\r\n")}`;
  };
  writeFileSync(
    file,
    text([
      JSON.stringify(grant({ permissions: ["FLY"] })),
      "no JSON",
      JSON.stringify(grant({ authObjectType: undefined })),
    ]),
  );
  const { code, stderr } = await transfer("restore", postern.url, { FILE: file, REQUEST_BYTES })
    .ended;
  assert.equal(code, 1, stderr);
  const numbered = stderr
    .split("\n")
    .filter((line) => line.startsWith(`${file}:`))
    .map((line) => line.slice(file.length + 1));
  assert.match(numbered[0], /^403: permissions .*FLY/);
  assert.match(numbered[1], /^404: is no JSON object/);
  assert.match(numbered[2], /^405: authObjectType is required/);
  assert.equal(numbered.length, 3);
  assert.match(stderr, /nothing of the lines \d+ to \d+ was written: 3 lines are wrong/);
  const written = (await tallyOf(await exported(postern, folder))).counts.grant;
  assert.ok(written > 0 && written < 400, `${written}`);

  writeFileSync(file, text([]));
  await succeeds(transfer("restore", postern.url, { FILE: file, REQUEST_BYTES }));
  assert.equal(
    (await tallyOf(await exported(postern, folder, "corrected.ndjson"))).counts.grant,
    600,
  );
});

test("a wrong line of CSV is reported, also after cells with line breaks", async (test) => {
  const { folder, postern } = await prepare(test);
  const file = join(folder, "directory.csv");
  const row = (index, permissions = "VIEW") =>
    `grant,${1 + (index % 3)},,,USER,${index},${permissions}`;
  const service = (id, name) => `service,,${id},${name},,,`;
  const rows = Array.from({ length: 400 }, (_, index) => row(index));
  const head = "record,serviceId,id,name,authObjectType,authObjectId,permissions";
  const quoted = service(1000, '"a, ""quoted"" cell"');
  const text = (...between) =>
    `${[head, ...rows.slice(0, 200), quoted, ...between, ...rows.slice(200)].join("\r\n")}\r\n`;
  writeFileSync(file, `${text()}service,,1002,"cut o`);
  const cut = await transfer("restore", postern.url, { FILE: file, REQUEST_BYTES: 4000 }).ended;
  assert.equal(cut.code, 1, cut.stderr);
  assert.match(cut.stderr, new RegExp(`^${file}:403: has a quote that is never closed`));
  assert.equal((await tallyOf(await exported(postern, folder))).counts.grant, undefined);

  writeFileSync(file, text(service(1001, '"two\r\nlines"'), row(400, "VIEW|FLY")));
  const refused = await transfer("restore", postern.url, { FILE: file, REQUEST_BYTES: 4000 }).ended;
  assert.equal(refused.code, 1, refused.stderr);
  assert.match(refused.stderr, new RegExp(`^${file}:203: name .*control`));
  assert.match(refused.stderr, new RegExp(`^${file}:205: permissions .*FLY`, "m"));

  writeFileSync(file, text(row(400)));
  await succeeds(transfer("restore", postern.url, { FILE: file, REQUEST_BYTES: 4000 }));
  assert.equal((await tallyOf(await exported(postern, folder))).counts.grant, 401);
});

test("what cannot be done is said in a line, without a trace", async (test) => {
  const { folder, postern, file } = await prepare(test);
  const fails = async (task, environment, pattern, url = postern.url) => {
    const { code, stderr } = await transfer(task, url, environment).ended;
    assert.equal(code, 1, stderr);
    assert.match(stderr, pattern);
    assert.doesNotMatch(stderr, /^ +at /m);
  };
  await fails("restore", { FILE: file }, /there is no file/);
  await fails("restore", {}, /say which file/);
  writeFileSync(file, `${JSON.stringify(grant())}\n`);
  await fails(
    "restore",
    { FILE: file, PASSWORD: "wrong" },
    /Postern answered 401: The user name or password is incorrect\. If an earlier run/,
  );
  await fails("restore", { FILE: folder }, /EISDIR|has no records/);
  await fails("backup", { FILE: join(folder, "nowhere", "out") }, /ENOENT/);
  await fails(
    "restore",
    { FILE: file },
    /must begin with https:\/\/, or with http/,
    "localhost:8787",
  );
  await fails("restore", { FILE: file, FORMAT: "xml" }, /FORMAT must be/);
  await fails("restore", { FILE: file }, /must begin with https/, "http://example.com");
  await fails("backup", { FILE: join(folder, "out"), PASSWORD: "wrong" }, /Postern answered 401/);
  assert.equal(existsSync(join(folder, "out.progress")), false);
  writeFileSync(file, "");
  await fails("restore", { FILE: file }, /has no records/);
  writeFileSync(`${file}.csv`, "record,serviceId,authObjectType,authObjectId,permissions\n");
  await fails("restore", { FILE: `${file}.csv` }, /has no records behind its line of column names/);
  const sealed = Array.from({ length: 9 }, (_, id) =>
    JSON.stringify({
      record: "user",
      id: id + 10,
      username: `u${id}`,
      type: "SYS_Reader",
      enabled: true,
      password: "v1.01234567.abcd",
    }),
  );
  writeFileSync(file, sealed.join("\n"));
  await fails(
    "restore",
    { FILE: file },
    new RegExp(
      ":1: password is not sealed .*SECRETS=left-out\n.*:2: .*\n.*:3: .*\n" +
        ".*:4, 5, 6, 7, 8, 9: the same\n.* Then run the same again",
    ),
  );
  writeFileSync(file, `${JSON.stringify(grant({ name: "x".repeat(1024 * 1024) }))}\n`);
  await fails("restore", { FILE: file }, /:1: is longer than a request/);
  writeFileSync(
    file,
    Buffer.concat([
      Buffer.from(`${JSON.stringify(grant())}\n{"record":"`),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}\n'),
    ]),
  );
  await fails("restore", { FILE: file }, /:2: is not UTF-8/);
});
