// How many rows SCIM reads with 10,000 users and a group of 5,000. No filter, and no change of a
// user or of some members, may cost as much as all users or members. A page costs itself and the
// way to it from the nearer end; a group with its members costs its members.

import { admin } from "./support.mjs";

const MEMBERS = 5000;
const PAGE = 100;
/** Rows that any request also reads: the change feed, and the credential. */
const BESIDES = 20;
/** Rows that a change of one user or group writes. Its indexes and triggers count as read. */
const CHANGE = 60;
/**
 * Rows for each member that is added or removed: the user, the membership, the feed, and the write
 * with its index.
 */
const MEMBER = 16;
const IMPORTED_AT_ONCE = 4000;

/**
 * The provider creates the users 1001 to 1000 + `users`, and a group with the first 5,000 of them.
 * Returns the group's id.
 */
export async function fill(url, users) {
  for (let first = 1; first <= users; first += IMPORTED_AT_ONCE) {
    const numbers = Array.from(
      { length: Math.min(IMPORTED_AT_ONCE, users + 1 - first) },
      (_, index) => first + index,
    );
    const lines = numbers.flatMap((number) => [
      {
        record: "user",
        id: 1000 + number,
        username: `user${number}@example.com`,
        email: `user${number}@example.com`,
        type: "SYS_Reader",
        enabled: true,
      },
      { record: "provisionedUser", userId: 1000 + number, externalId: `x${number}` },
    ]);
    const body = lines.map((line) => JSON.stringify(line)).join("\n");
    const answer = await fetch(`${url}/v1/import`, { method: "POST", headers: admin, body });
    if (answer.status !== 200)
      throw new Error(`an import was answered by ${answer.status} ${await answer.text()}`);
  }
  const members = Array.from({ length: MEMBERS }, (_, index) => ({ value: String(1001 + index) }));
  const answer = await fetch(`${url}/scim/v2/Groups?attributes=id`, {
    ...{ method: "POST", headers: { ...admin, "content-type": "application/scim+json" } },
    body: JSON.stringify({ displayName: "Everybody", members }),
  });
  if (answer.status !== 201)
    throw new Error(`the group was answered by ${answer.status} ${await answer.text()}`);
  return (await answer.json()).id;
}

/**
 * Sends each kind of request. Returns `{ kind, rows, bound, … }` for each, as `rows_read.mjs` does.
 */
export async function measureScim(url, users, group) {
  const measured = [];
  const ask = async (kind, bound, path, { method = "GET", json, status = 200 } = {}) => {
    await fetch(`${url}/testing`);
    const headers = { ...admin, ...(json && { "content-type": "application/scim+json" }) };
    const answer = await fetch(`${url}/scim/v2${path}`, {
      method,
      headers,
      body: json && JSON.stringify(json),
    });
    const text = await answer.text();
    if (answer.status !== status)
      throw new Error(`${kind}: ${method} ${path} answered ${answer.status} ${text}`);
    const { rowsRead, statements, calls } = await (await fetch(`${url}/testing`)).json();
    measured.push({ kind, rows: rowsRead, bound, calls, statements, path, times: 1 });
    return text && JSON.parse(text);
  };
  const patch = (...operations) => ({ method: "PATCH", json: { Operations: operations } });
  const filtered = (resource, text, more = "") =>
    `/${resource}?filter=${encodeURIComponent(text)}${more}`;
  const someone = users / 2;
  // The first request of an isolate reads who asks.
  await ask("SCIM: nothing", BESIDES, "/ServiceProviderConfig");
  for (const [filter, found] of [
    [`userName eq "USER${someone}@example.com"`, 1],
    [`externalId eq "x${someone}"`, 1],
    [`id eq "${1000 + someone}"`, 1],
    [`emails[type eq "work"].value eq "user${someone}@example.com"`, 1],
    [`userName eq "nobody@example.com"`, 0],
  ]) {
    const { totalResults } = await ask(
      "SCIM: a user by a filter",
      12 + BESIDES,
      filtered("Users", filter),
    );
    if (totalResults !== found) throw new Error(`${filter} found ${totalResults}`);
  }
  const page = 6 * PAGE + BESIDES;
  for (const [which, start, bound] of [
    ["first", 1, page],
    ["middle", users / 2, page + users / 2],
    ["last", users - PAGE + 1, page],
  ]) {
    const { Resources } = await ask(
      `SCIM: users, ${which} page`,
      bound,
      `/Users?startIndex=${start}&count=${PAGE}`,
    );
    if (Resources.length !== PAGE)
      throw new Error(`the ${which} page has ${Resources.length} users`);
  }
  await ask("SCIM: a new user", 2 * CHANGE, "/Users", {
    method: "POST",
    status: 201,
    json: { userName: "new@example.com", externalId: "new" },
  });
  const user = `/Users/${1000 + someone}`;
  await ask(
    "SCIM: a user is changed",
    CHANGE + BESIDES,
    user,
    patch({ op: "Replace", path: "active", value: "False" }),
  );
  await ask(
    "SCIM: a user is changed",
    CHANGE + BESIDES,
    user,
    patch({ op: "Replace", path: "userName", value: "renamed@example.com" }),
  );
  await ask("SCIM: a user is deleted", CHANGE + BESIDES, `/Users/${999 + someone}`, {
    method: "DELETE",
    status: 204,
  });
  await ask(
    "SCIM: a group without its members",
    BESIDES,
    `/Groups/${group}?excludedAttributes=members`,
  );
  await ask(
    "SCIM: a group without its members",
    BESIDES,
    filtered("Groups", 'displayName eq "everybody"', "&excludedAttributes=members"),
  );
  await ask(
    "SCIM: one membership",
    BESIDES,
    filtered("Groups", `id eq "${group}" and members eq "1002"`, "&excludedAttributes=members"),
  );
  const of = (first, count) =>
    Array.from({ length: count }, (_, index) => ({ value: String(first + index) }));
  const change = (count) => MEMBER * count + CHANGE + BESIDES;
  for (const [kind, first, count] of [
    ["one member", 1001 + MEMBERS, 1],
    ["a hundred members", 1001 + MEMBERS, 100],
    ["500 members", 1001 + MEMBERS, 500],
  ]) {
    const add = patch({ op: "Add", path: "members", value: of(first, count) });
    await ask(`SCIM: ${kind} come`, change(count), `/Groups/${group}`, { ...add, status: 204 });
    await ask(`SCIM: ${kind} come again`, change(count), `/Groups/${group}`, {
      ...add,
      status: 204,
    });
    await ask(`SCIM: ${kind} go`, change(count), `/Groups/${group}`, {
      ...patch({ op: "Remove", path: "members", value: of(first, count) }),
      status: 204,
    });
  }
  await ask("SCIM: a member goes by a path", change(1), `/Groups/${group}`, {
    ...patch({ op: "remove", path: 'members[value eq "1001"]' }),
    status: 204,
  });
  const { members } = await ask(
    "SCIM: a group with its members",
    2 * MEMBERS + BESIDES,
    `/Groups/${group}`,
  );
  // One user was deleted, and one was removed from the group.
  if (members.length !== MEMBERS - 2) throw new Error(`the group has ${members.length} members`);
  await ask(
    "SCIM: all members are replaced",
    change(MEMBERS),
    `/Groups/${group}?attributes=id`,
    patch({ op: "replace", path: "members", value: of(1002, 1000) }),
  );
  await ask("SCIM: a group is deleted", MEMBER * 1000 + CHANGE + BESIDES, `/Groups/${group}`, {
    method: "DELETE",
    status: 204,
  });
  return measured;
}
