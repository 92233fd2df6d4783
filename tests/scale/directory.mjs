// A large directory made from a seed: the same lines each time, generated one by one.

import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const PERMISSIONS = [
  "ADD",
  "VIEW",
  "MODIFY",
  "DELETE",
  "TEST",
  "GRANT",
  "SHARE",
  "RELEASE",
  "EXPORT",
];
const YEAR_MS = 365 * 24 * 3600 * 1000;

/** The service that has a twentieth of all grants. The other services share the rest evenly. */
export const BUSY_SERVICE = 1;
/** The first user's id, so that nobody is the administrator. */
const FIRST_USER = 1000;

/**
 * `{ grants, users, services, departments, groups, seed }`. The numbers of departments and groups
 * follow from the users.
 */
export function sizes({ grants, users, services, seed = 20250123 }) {
  return { grants, users, services, departments: users / 100, groups: users / 50, seed };
}

/** Pseudo-random numbers that can be repeated (mulberry32). */
function dice(seed) {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

/** Each department has ten below it, so a user's department is up to four levels deep. */
const parentOf = (department) => (department < 10 ? undefined : Math.floor(department / 10));

export const userId = (index) => FIRST_USER + index;

/** The departments and groups of a user. */
export function membershipsOf(index, { departments, groups }) {
  const chosen = [["DEPT", 1 + ((index * 7919) % departments)]];
  if (index % 3 === 0) chosen.push(["DEPT", 1 + ((index * 104729) % departments)]);
  for (let number = 0; number < index % 5; number += 1)
    chosen.push(["GROUP", 1 + ((index * 31 + number * 977) % groups)]);
  return chosen;
}

/**
 * The objects whose grants reach the user, without the user: their memberships, and the departments
 * above.
 */
export function reach(index, size) {
  const reached = new Set();
  for (const [type, id] of membershipsOf(index, size)) {
    for (let at = id; at !== undefined; at = type === "DEPT" ? parentOf(at) : undefined)
      reached.add(`${type}/${at}`);
  }
  return reached;
}

/** How many grants to each type of object a service has. */
export function grantsOf(service, { grants, services, departments, groups }) {
  const ofBusy = Math.floor(grants / 20);
  const others = grants - ofBusy;
  const all =
    service === BUSY_SERVICE
      ? ofBusy
      : Math.floor(others / (services - 1)) + (service - 2 < others % (services - 1) ? 1 : 0);
  const toDepartments = Math.min(Math.floor(all / 10), departments, 100);
  const toGroups = Math.min(Math.floor(all / 20), groups, 100);
  return { USER: all - toDepartments - toGroups, DEPT: toDepartments, GROUP: toGroups };
}

/** All records in the order of an export, except for the order of keys. */
export function* records(size) {
  const roll = dice(size.seed);
  const { users, services, departments, groups } = size;
  const now = Date.UTC(2025, 0, 1);
  const time = () => now + roll(YEAR_MS);
  for (let index = 0; index < users; index += 1) {
    const type = roll(10) > 0 ? "SYS_Reader" : "SYS_Creator";
    const [createdAt, modifiedAt] = [time(), time()];
    yield {
      record: "user",
      id: userId(index),
      username: `user${index}`,
      type,
      enabled: roll(20) > 0,
      createdAt,
      modifiedAt,
    };
  }
  for (let id = 1; id <= services; id += 1) {
    const [authEnabled, createdAt, modifiedAt] = [roll(10) > 0, time(), time()];
    yield { record: "service", id, name: `Service ${id}`, authEnabled, createdAt, modifiedAt };
  }
  for (let id = 1; id <= departments; id += 1) {
    yield {
      record: "department",
      id,
      name: `Department ${id}`,
      parentId: parentOf(id),
      createdAt: time(),
    };
  }
  for (let id = 1; id <= groups; id += 1)
    yield { record: "group", id, name: `Group ${id}`, createdAt: time() };
  for (let index = 0; index < users; index += 1) {
    const seen = new Set();
    for (const [authObjectType, authObjectId] of membershipsOf(index, size)) {
      if (seen.size < seen.add(`${authObjectType}/${authObjectId}`).size) {
        yield { record: "member", authObjectType, authObjectId, userId: userId(index) };
      }
    }
  }
  let id = 0;
  const objects = { USER: [users, FIRST_USER], DEPT: [departments, 1], GROUP: [groups, 1] };
  for (let serviceId = 1; serviceId <= services; serviceId += 1) {
    for (const [authObjectType, count] of Object.entries(grantsOf(serviceId, size))) {
      const [all, first] = objects[authObjectType];
      // Consecutive ids from a random one on, so that no object comes twice.
      const offset = roll(all);
      for (let number = 0; number < count; number += 1) {
        const permissions = PERMISSIONS.filter((name) => name === "VIEW" || roll(4) === 0);
        const authObjectId = first + ((offset + number) % all);
        id += 1;
        yield {
          record: "grant",
          serviceId,
          authObjectType,
          authObjectId,
          id,
          permissions,
          createdAt: time(),
        };
      }
    }
  }
}

/** Writes the records into a file, as a stream. Returns their tally. */
export async function write(file, size) {
  const tally = new Tally();
  function* lines() {
    let block = [];
    for (const record of records(size)) {
      tally.add(record);
      block.push(JSON.stringify(record), "\n");
      if (block.length >= 2000) {
        yield block.join("");
        block = [];
      }
    }
    yield block.join("");
  }
  await pipeline(Readable.from(lines()), createWriteStream(file));
  return tally.result();
}

/**
 * How many records of each kind there are, and a checksum that does not depend on their order.
 * Postern's own records, the first administrator and the last given ids, are not counted.
 */
export class Tally {
  #counts = {};
  #sum = 0n;

  add(record) {
    if (record.username === "admin" || ["lastId", "chosenId"].includes(record.record)) return;
    this.#counts[record.record] = (this.#counts[record.record] ?? 0) + 1;
    const text = JSON.stringify(
      Object.entries(record)
        .filter(([, value]) => value !== undefined)
        .sort(),
    );
    this.#sum = BigInt.asUintN(
      64,
      this.#sum + createHash("md5").update(text).digest().readBigUInt64LE(),
    );
  }

  result() {
    return { counts: this.#counts, sum: this.#sum.toString(16).padStart(16, "0") };
  }
}
