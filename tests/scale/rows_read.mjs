// How many rows each kind of query reads, and how many it may.
//
// No query may cost as much as all grants. A list of one service's grants costs its page, from
// either end; a page in the middle costs the way to it. A filter that matches few grants costs
// those. One that matches many, or that has no index, costs at most the service's grants: once for
// the total and once for the page.

import { setTimeout as sleep } from "node:timers/promises";
import { BUSY_SERVICE, grantsOf, reach, userId } from "./directory.mjs";
import { PASSWORD, admin } from "./support.mjs";

const PAGE = 10;
/**
 * Rows that any request also reads: the change feed, and the caller's standing with the service.
 */
const BESIDES = 20;
/**
 * Rows that recording a failed sign-in reads: the failure's indexes, and the event that sums up ten
 * minutes of failures.
 */
const NOTED = 20;
const CHECKS = 25;

/**
 * Sends each kind of query. Returns `{ kind, rows, bound, calls, statements, path, times }` for
 * each. The Worker must not have been asked anything before. `credentials` are what `issue` got
 * from another Worker.
 */
export async function measure(url, size, { token, keys }) {
  const measured = [];
  const ask = async (
    kind,
    path,
    bound,
    { headers = admin, beyond = 0, maxCalls = Infinity, json, status = json ? 201 : 200 } = {},
  ) => {
    await fetch(`${url}/testing`);
    const answer = await fetch(
      url + path,
      json ? { method: "POST", headers, body: JSON.stringify(json) } : { headers },
    );
    const text = await answer.text();
    if (answer.status !== status)
      throw new Error(`${kind}: ${path} answered ${answer.status} ${text}`);
    const { rowsRead, statements, calls } = await (await fetch(`${url}/testing`)).json();
    if (calls > maxCalls)
      throw new Error(`${kind}: ${path} made ${calls} round trips to D1 instead of ${maxCalls}`);
    measured.push({ kind, rows: rowsRead - beyond, bound, calls, statements, path });
    return JSON.parse(text);
  };
  await checks(ask, size, token);
  await byKeys(ask, size, keys);
  await lists(ask, size);
  await whoMayWhat(ask, size);
  await searches(ask, url, size, keys[0]);
  await filters(ask, size);
  await users(ask);
  await names(ask);
  await overview(ask, size);
  await creations(ask, size);
  await signIns(ask);
  return byKind(measured);
}

async function checks(ask, size, token) {
  const headers = { authorization: `Bearer ${token}` };
  const check = (service, user) => `/v1/check?service=${service}&permission=VIEW&user=${user}`;
  const services = (number) => 2 + (number % (size.services - 1));
  const own = `/v1/check?service=${services(0)}&permission=VIEW`;
  await ask("check of oneself, the first of an isolate", own, 20, { headers, maxCalls: 1 });
  await ask("check, warm", own, 0, { headers, maxCalls: 0 });
  for (let number = 1; number <= CHECKS; number += 1) {
    const index = (number * 7919 + 9) % size.users;
    const [user, memberships] = [userId(index), reach(index, size).size];
    // Services that the isolate has not seen yet.
    const [first, second, third, fourth] = [0, 1, 2, 3].map((step) => services(number * 5 + step));
    const cold = { headers, maxCalls: 1 };
    await ask("check, beyond the memberships", check(first, user), 20, {
      ...cold,
      beyond: memberships,
    });
    await ask(
      "check, where all memberships are granted",
      check(BUSY_SERVICE, user),
      20 + 3 * memberships,
      cold,
    );
    await ask(
      "a user's permissions, beyond the memberships",
      `/api/v1/services/${second}/user/${user}/auth`,
      20,
      { headers, beyond: memberships },
    );
    await ask("own permissions", `/api/v1/services/${third}/user/auth/current`, BESIDES, cold);
    await ask("status", `/api/v1/services/${fourth}/auth/status`, BESIDES, cold);
  }
}

/**
 * Each key is new to the isolate. It is found by its hash, together with its user, in the one
 * reading of a cold check.
 */
async function byKeys(ask, size, keys) {
  const bearer = (key) => ({ authorization: `Bearer ${key}` });
  const cold = (key) => ({ headers: bearer(key), maxCalls: 1 });
  const check = (number) =>
    `/v1/check?service=${2 + (number % (size.services - 1))}&permission=VIEW&user=1`;
  const [first, ...others] = keys;
  for (const [number, key] of others.entries()) {
    await ask("check by a key", check(number * 3 + 1), 22, cold(key));
    await ask("check by a key, warm", check(number * 3 + 1), 0, { ...cold(key), maxCalls: 0 });
  }
  await ask("verification of a key", "/v1/verify", 10, cold(first));
  await ask("a key that there is not", "/v1/verify", 10, { ...cold(UNKNOWN_KEY), status: 401 });
  await ask("one key", "/v1/keys/1", 10 + BESIDES);
  const page = 3 * (PAGE + 1) + BESIDES;
  await ask("keys, first page", `/v1/keys?limit=${PAGE}`, page);
  await ask("keys, a page in the middle", `/v1/keys?limit=${PAGE}&cursor=${keys.length / 2}`, page);
  await ask("keys of a user", `/v1/keys?limit=${PAGE}&userId=1`, page);
}

/** A key that nobody has: 43 zeros and their checksum. */
const UNKNOWN_KEY = `pst_${"0".repeat(43)}2CZclj`;
const KEYS = 100;

/** A token of the administrator's, and keys as a directory's machines have them. */
export async function issue(url) {
  const body = JSON.stringify({ username: "admin", password: PASSWORD });
  const token = await (
    await fetch(`${url}/imanager/cloud/security/tokens.json`, { method: "POST", body })
  ).text();
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const keys = [];
  for (let number = 1; number <= KEYS; number += 1) {
    // Some keys speak for the administrator, who may have 20 of them.
    const wish = {
      name: `machine ${number}`,
      may: ["decisions"],
      ...(number % 10 === 0 && { userId: 1 }),
    };
    const answer = await fetch(`${url}/v1/keys`, {
      method: "POST",
      headers,
      body: JSON.stringify(wish),
    });
    if (answer.status !== 201)
      throw new Error(`a key was answered by ${answer.status} ${await answer.text()}`);
    keys.push((await answer.json()).key);
  }
  await use(url, keys, headers);
  return { token, keys };
}

/**
 * Uses each key, and waits until that is written in the background, so that it is not written again
 * today.
 */
async function use(url, keys, headers) {
  for (const key of keys)
    await fetch(`${url}/v1/verify`, { headers: { authorization: `Bearer ${key}` } });
  for (let tries = 0; tries < 100; tries += 1) {
    const { items } = await (await fetch(`${url}/v1/keys?limit=${KEYS}`, { headers })).json();
    if (items.length === KEYS && items.every(({ lastUsedOn }) => lastUsedOn !== null)) return;
    await sleep(50);
  }
  throw new Error("the use of the keys was not noted");
}

const list = (query) => {
  const parameters = { authObjectType: "USER", pageSize: PAGE, ...query };
  return `/api/v1/services/auth?${new URLSearchParams(parameters)}`;
};

/**
 * Lists by ascending id. A service's list reads three ranges of an index, and a user's list reads
 * one for each object that reaches the user.
 */
async function whoMayWhat(ask, size) {
  const ofService = (cursor) => `/v1/services/${BUSY_SERVICE}/grants?limit=${PAGE}${cursor}`;
  // Each row is looked up, and the name of its object.
  const page = 3 * 4 * (PAGE + 1) + BESIDES;
  const first = await ask("grants on a service, first page", ofService(""), page);
  if (first.items.length !== PAGE)
    throw new Error(`a page has ${first.items.length} grants, expected ${PAGE}`);
  const far = 2 ** 53 - 1;
  await ask(
    "grants on a service, a page in the middle",
    ofService(`&cursor=${Math.floor(size.grants / 40)}`),
    page,
  );
  await ask("grants on a service, behind the last page", ofService(`&cursor=${far}`), BESIDES);
  for (const [type, id] of [
    ["GROUP", 1],
    ["DEPT", 1],
    ["USER", userId(0)],
  ]) {
    const path = `/v1/grants?authObjectType=${type}&authObjectId=${id}&limit=${PAGE}`;
    const { items } = await ask("grants to an object, first page", path, 4 * (PAGE + 1) + BESIDES);
    if (
      items.some(
        ({ authObjectType, authObjectId }) => authObjectType !== type || authObjectId !== id,
      )
    )
      throw new Error(`${path} has grants to others`);
    const service = items[0]?.serviceId ?? 1;
    await ask("grant to an object on a service", `${path}&serviceId=${service}`, 4 + BESIDES);
    const behind = items[Math.floor(items.length / 2)]?.id ?? 0;
    await ask(
      "grants to an object, a later page",
      `${path}&cursor=${behind}`,
      4 * (PAGE + 1) + BESIDES,
    );
  }
  for (let number = 1; number <= CHECKS; number += 1) {
    const index = (number * 7919 + 9) % size.users;
    const objects = 1 + reach(index, size).size;
    // The memberships, the departments above, and the objects themselves.
    const beyond = 6 * objects;
    const path = `/v1/users/${userId(index)}`;
    await ask(
      "grants of a user",
      `${path}/grants?limit=${PAGE}`,
      4 * objects * (PAGE + 1) + beyond + BESIDES,
    );
    await ask("groups of a user", `${path}/groups`, beyond + BESIDES);
  }
}

/**
 * Searches by AuthZEN. A search for users reads a page of each group and department that a grant
 * reaches. A search for services reads a page of each object that reaches the user. VIEW is in
 * every grant, so none is skipped for its permission.
 */
async function searches(ask, url, size, key) {
  const name = (id) =>
    JSON.stringify({ record: "resourceName", type: "record", id: `record-${id}`, serviceId: id });
  const body = Array.from({ length: size.services }, (_, index) => name(index + 1)).join("\n");
  const named = await fetch(`${url}/v1/import`, { method: "POST", headers: admin, body });
  if (named.status !== 200)
    throw new Error(`the names were answered by ${named.status} ${await named.text()}`);
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const search = (kind, what, bound, json, more) =>
    ask(`search for ${what}`, `/access/v1/search/${kind}`, bound, {
      headers,
      status: 200,
      json,
      ...more,
    });
  const view = { name: "VIEW" };
  const far = { page: { limit: PAGE } };
  for (let number = 0; number <= CHECKS; number += 1) {
    const service = number === 0 ? BUSY_SERVICE : 2 + ((number * 7) % (size.services - 1));
    const granted = grantsOf(service, size);
    // A grant to a department reaches the departments below.
    const units = granted.GROUP + (granted.DEPT > 0 ? size.departments : 0);
    const bound = units * (6 * (PAGE + 1) + 4) + 5 * (PAGE + 1) + BESIDES;
    const resource = { type: "service", id: String(service) };
    const question = { subject: { type: "user" }, action: view, resource, ...far };
    const first = await search("subject", "users, first page", bound, question);
    if (first.results.length !== PAGE)
      throw new Error(`a page has ${first.results.length} users, expected ${PAGE}`);
    const page = { token: first.page.next_token };
    await search("subject", "users, a further page", bound, { ...question, page });
    const index = (number * 7919 + 9) % size.users;
    const subject = { type: "user_id", id: String(userId(index)) };
    const objects = 1 + reach(index, size).size;
    const ofObjects = objects * (6 * (PAGE + 1) + 6) + 5 * (PAGE + 1) + BESIDES;
    await search("resource", "services", ofObjects, {
      subject,
      action: view,
      resource: { type: "service" },
      ...far,
    });
    await search("resource", "names of services", ofObjects, {
      subject,
      action: view,
      resource: { type: "record" },
      ...far,
    });
    await search("action", "actions", 20 + 3 * objects, { subject, resource }, { maxCalls: 1 });
  }
}

/**
 * Each user is shown with the number of grants that name their id. At most a hundred are counted.
 */
async function users(ask) {
  const page = await ask("users, a page", `/v1/users?limit=${PAGE}`, (PAGE + 1) * 102 + BESIDES);
  const some = page.items.map(({ id }) => id).join(",");
  // The ids are rows of a text, which are sorted.
  await ask("users, by ids", `/v1/users?ids=${some}`, PAGE * 105 + BESIDES);
  for (const [kind, path] of [
    ["groups", "/v1/groups"],
    ["departments", "/v1/departments"],
    ["services", "/v1/services"],
  ])
    await ask(`${kind}, by ids`, `${path}?ids=1,2,3,4,5,999999`, 6 * 5 + BESIDES);
  await ask("a user", `/v1/users/${page.items[0].id}`, 102 + BESIDES);
}

/**
 * Lists of records by the beginning of their name. Nearly all match, and a page reads only its own
 * rows, wherever it is.
 */
async function names(ask) {
  for (const [path, search] of [
    ["users", "USER"],
    ["groups", "group"],
    ["departments", "dep"],
    ["services", "service"],
  ]) {
    // A row of the index and the row itself; for each user also the grants that name their id.
    const page = (PAGE + 1) * (path === "users" ? 103 : 2) + BESIDES;
    let next = "";
    for (let number = 0; number < 4 && next !== null; number += 1) {
      const which = number === 0 ? "first" : "a further";
      const kind = `${path} by the beginning of their name, ${which} page`;
      const found = await ask(
        kind,
        `/v1/${path}?search=${search}&limit=${PAGE}${next && `&cursor=${next}`}`,
        page + (number === 0 ? 0 : 2),
      );
      if (found.items.length === 0) throw new Error(`no ${path} begin with ${search}`);
      next = found.next;
    }
    await ask(`${path} of whom no name begins so`, `/v1/${path}?search=nobody`, BESIDES);
  }
}

/**
 * Up to 10,001 records of each kind are counted. For grants the totals are read, of which each
 * service has at most three.
 */
async function overview(ask, size) {
  const most = (number) => Math.min(number, 10_001);
  // The keys, and other kinds of which there are few.
  const few = KEYS + 20;
  const all =
    most(size.users) +
    most(size.groups) +
    most(size.departments) +
    most(size.services) +
    most(3 * size.services) +
    few;
  // The state of the deployment reads the names of the schema once.
  const schema = 200;
  const { counts } = await ask("overview", "/v1/overview", all + schema + BESIDES);
  const users = Math.min(size.users + 1, 10_000);
  const isWhole = 3 * size.services <= 10_000;
  const hasGrants = isWhole
    ? counts.grants === size.grants
    : counts.atLeast.includes("grants") && counts.grants <= size.grants;
  if (counts.users !== users || !hasGrants)
    throw new Error(`the overview has ${JSON.stringify(counts)}`);
  await ask("overview, again within a minute", "/v1/overview", BESIDES);
}

/**
 * Choosing an id looks into each index that may name it. The ids of groups and departments begin
 * after the imported ones.
 */
async function creations(ask, size) {
  const looks = (taken) => 20 * (65 + Math.ceil(Math.sqrt(2 * taken)));
  for (const [path, taken] of [
    ["users", 0],
    ["groups", size.groups],
    ["departments", size.departments],
    ["services", size.services],
  ]) {
    for (let number = 0; number < 3; number += 1) {
      const json = path === "users" ? { username: `new ${number}` } : { name: `new ${number}` };
      // The indexes and triggers of what is written are counted, too.
      await ask(
        `a new one of ${path}`,
        `/v1/${path}`,
        (number === 0 ? looks(taken) : 20) + 2 * BESIDES,
        { json },
      );
    }
  }
}

const filter = (key, op, value) => ({
  "filters[0].key": key,
  "filters[0].op": op,
  "filters[0].value": value,
});

/**
 * Failures of the address, up to its limit of a hundred, and of the name, up to its limit of ten,
 * are counted before the hash and after it. On a slow machine, any of these requests may also read
 * the change feed.
 */
async function signIns(ask) {
  const signIn = (kind, username, password, bound, status) => {
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    return ask(kind, "/v1/verify", bound, { headers: { authorization }, status });
  };
  const failures = 60;
  for (let number = 0; number < failures; number += 1) {
    // Every other name is that of a user, who has no password.
    const username = number % 2 === 0 ? `user${number}` : `nobody ${number}`;
    await signIn("a failed sign-in", username, "wrong", 2 * failures + NOTED + 5 + BESIDES, 401);
  }
  const ofOneName = 2 * failures + 6 * 10 + NOTED + 5 + BESIDES;
  for (let number = 0; number < 10; number += 1)
    await signIn("a failed sign-in of one name", "user1", "wrong", ofOneName, 401);
  await signIn(
    "a sign-in that is refused for its failures",
    "user1",
    "wrong",
    failures + 3 * 10 + BESIDES,
    429,
  );
  await signIn("a sign-in, warm", "admin", PASSWORD, 0, 200);
}

async function lists(ask, size) {
  const several = [BUSY_SERVICE, 2, 3, 4];
  const all = several.reduce((sum, service) => sum + grantsOf(service, size).USER, 0);
  for (const [of, services, total, query] of [
    ["one service", 1, grantsOf(BUSY_SERVICE, size).USER, { serviceId: BUSY_SERVICE }],
    [`${several.length} services`, several.length, all, filter("serviceId", "IN", several.join())],
  ]) {
    // Rows of several services are merged: each one costs a page, and a look at each row's place.
    const page = services === 1 ? PAGE + BESIDES : 2 * PAGE * services + BESIDES + 4 * services;
    const middle = services === 1 ? Math.ceil(total / 2) + page : 2 * total + page;
    const found = await ask(
      `total of ${of}`,
      list({ ...query, pageSize: 1 }),
      BESIDES + 8 * services,
    );
    if (found.data.total !== total)
      throw new Error(`the total of ${of} is ${found.data.total}, expected ${total}`);
    const last = Math.ceil(total / PAGE);
    for (const orderBy of ["id", "serviceId", "createdDate"]) {
      for (const orderSort of ["ASC", "DESC"]) {
        const kind = `list of ${of} by ${orderBy} ${orderSort}`;
        for (const [which, pageNo, bound] of [
          ["first", 1, page],
          ["middle", Math.ceil(last / 2), middle],
          ["last", last, page],
        ]) {
          await ask(
            `${kind}, ${which} page`,
            list({ ...query, orderBy, orderSort, pageNo }),
            bound,
          );
        }
      }
    }
    await ask(`list of ${of} with names`, list({ ...query, infoScope: "DETAIL" }), page + 2 * PAGE);
  }
}

async function filters(ask, size) {
  const query = { serviceId: BUSY_SERVICE };
  const total = grantsOf(BUSY_SERVICE, size).USER;
  const { data } = await ask(
    "list of one service, page of 3",
    list({ ...query, orderBy: "id", orderSort: "ASC", pageSize: 3 }),
    PAGE + BESIDES,
  );
  const [first, second, third] = data.list;
  const moment = new Date(first.createdDate).toISOString().replace("T", " ").slice(0, 19);
  const few = 3 * PAGE + BESIDES;
  // The total reads each row, and each of the values beside it. So may the page.
  const many = 4 * total + few;
  const cases = [
    ["id", "EQUAL", first.id, few],
    ["id", "NOT_EQUAL", first.id, many],
    ["id", "GREATER_THAN", first.id, many],
    ["id", "GREATER_THAN_EQUAL", first.id, many],
    ["id", "LESS_THAN", third.id, few],
    ["id", "LESS_THAN_EQUAL", third.id, few],
    ["id", "IN", [first.id, second.id], few],
    ["id", "NOT_IN", [first.id, second.id], many],
    ["authObjectId", "EQUAL", first.authObjectId, few],
    ["authObjectId", "NOT_EQUAL", first.authObjectId, many],
    ["authObjectId", "IN", [first.authObjectId, third.authObjectId], few],
    ["authObjectId", "NOT_IN", [first.authObjectId], many],
    ["authObjectId", "MATCH", String(first.authObjectId), many],
    ["authObjectId", "NOT_MATCH", String(first.authObjectId), many],
    ["authObjectId", "MATCH_END", String(first.authObjectId), many],
    ["authObjectId", "NOT_MATCH_END", String(first.authObjectId), many],
    ["authObjectId", "IS_NULL", "", many],
    ["authObjectId", "IS_NOT_NULL", "", many],
    ["authObjectType", "EQUAL", "USER", many],
    ["createdDate", "EQUAL", moment, few],
    ["createdDate", "GREATER_THAN", "2030-01-01 00:00:00", few],
    ["createdDate", "GREATER_THAN_EQUAL", moment, many],
    ["createdDate", "LESS_THAN", "2020-01-01 00:00:00", few],
    ["createdDate", "LESS_THAN_EQUAL", moment, many],
    ["createdDate", "MATCH", "2025-06", many],
    ["createdDate", "IS_NULL", "", few],
    ["createdDate", "IS_NOT_NULL", "", many],
  ];
  for (const [key, op, value, bound] of cases) {
    for (const orderBy of ["id", "createdDate"]) {
      await ask(
        `filter ${key} ${op}${bound === few ? " (few)" : ""}`,
        list({ ...query, orderBy, ...filter(key, op, String(value)) }),
        bound,
      );
    }
  }
}

/** The request of each kind that read most. */
function byKind(measured) {
  const worst = new Map();
  for (const one of measured) {
    const known = worst.get(one.kind);
    const excess = ({ rows, bound }) => rows - bound;
    if (!known || excess(one) > excess(known)) worst.set(one.kind, { ...one, times: 0 });
  }
  measured.forEach(({ kind }) => (worst.get(kind).times += 1));
  return [...worst.values()];
}

export const exceeded = (measured) => measured.filter(({ rows, bound }) => rows > bound);

/** A table for people, with the statements of what read too much. */
export function table(measured) {
  const lines = measured.map(({ kind, rows, bound, times }) => {
    const mark = rows > bound ? "TOO MANY" : "";
    const figures = [
      String(rows).padStart(9),
      String(bound).padStart(9),
      String(times).padStart(6),
    ];
    return `${kind.padEnd(52)} ${figures.join(" ")}  ${mark}`.trimEnd();
  });
  const details = exceeded(measured).flatMap(({ kind, path, statements }) => [
    `${kind}: ${path}`,
    ...statements.map(({ rowsRead, sql }) => `  ${rowsRead} ${sql}`),
  ]);
  return [
    [
      "rows read, at the most".padEnd(52),
      "rows".padStart(9),
      "bound".padStart(9),
      "asked".padStart(6),
    ].join(" "),
    ...lines,
    ...details,
  ].join("\n");
}
