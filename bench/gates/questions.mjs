// Permission checks whose answers follow from the records of the directory alone.

import { createHash } from "node:crypto";
import { memberName } from "../grants.mjs";
import { membershipsOf, reach, records, userId } from "../../tests/scale/directory.mjs";

/** So many services are asked about, each with a hundred grants or so. */
const SERVICES = 100;
/** So many questions of each kind there must be; few grants are to a department above. */
const LEAST = { allowed: 50, above: 5, denied: 50 };
/** Among so many users somebody is found for each question. */
const SEARCHED = 20_000;

/**
 * Questions of three kinds, `{ username, service, reach, holders }`: `allowed` by the user's own
 * grant, or one to their department or group; allowed only by a grant to a department `above`;
 * and `denied`. A grant to one of `reach` reaches the user; `holders` have VIEW.
 */
export function questions(size) {
  const step = Math.floor(size.services / SERVICES);
  const grants = new Map();
  for (const record of records(size)) {
    if (record.record === "service" && record.authEnabled && record.id % step === 2) {
      grants.set(record.id, new Set());
    } else if (record.record === "grant") {
      grants.get(record.serviceId)?.add(`${record.authObjectType}/${record.authObjectId}`);
    }
  }
  const reached = Array.from(
    { length: SEARCHED },
    (_, index) => new Set([`USER/${userId(index)}`, ...reach(index, size)]),
  );
  const near = (index) => [
    `USER/${userId(index)}`,
    ...membershipsOf(index, size).map(([type, id]) => `${type}/${id}`),
  ];
  const found = { allowed: [], above: [], denied: [] };
  for (const [service, holders] of grants) {
    const is = {
      allowed: (index) => near(index).some((who) => holders.has(who)),
      above: (index) => !is.allowed(index) && [...reached[index]].some((who) => holders.has(who)),
      denied: (index) => ![...reached[index]].some((who) => holders.has(who)),
    };
    // Not the same users for each service.
    const from = createHash("md5").update(String(service)).digest().readUInt32LE() % SEARCHED;
    for (const [kind, list] of Object.entries(found)) {
      const index = reached.map((_, at) => (from + at) % SEARCHED).find(is[kind]);
      if (index === undefined) continue;
      list.push({
        username: memberName(index),
        id: userId(index),
        service,
        reach: [...reached[index]],
        holders: [...holders],
      });
    }
  }
  for (const [kind, list] of Object.entries(found)) {
    if (list.length < LEAST[kind])
      throw new Error(`of ${kind} there are ${list.length} questions only`);
  }
  return found;
}
