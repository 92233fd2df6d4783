// The permissions on a service, and how grants are written.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { path } from "../router.mjs";

/** All permissions, in the order of the API. */
export const PERMISSIONS = [
  "VIEW",
  "ADD",
  "MODIFY",
  "DELETE",
  "TEST",
  "GRANT",
  "SHARE",
  "RELEASE",
  "EXPORT",
];

/** Every grant has it. */
export const ALWAYS = ["VIEW"];

/** Pairs of a permission and its name. @returns {[string, string][]} */
export const permissionOptions = () => PERMISSIONS.map((one) => [one, t(`permission.${one}`)]);

/** What the API calls those to whom something is granted. */
const OBJECT_TYPES = { user: "USER", group: "GROUP", department: "DEPT" };
export const KINDS = { USER: "user", GROUP: "group", DEPT: "department" };

/** Somebody to whom something is granted, as the API names them. */
export const objectOf = ({ kind, id }) => ({
  authObjectType: OBJECT_TYPES[kind],
  authObjectId: id,
});

/** Grants what was not granted before. */
export const addGrant = (service, to, { permissions, startsAt, expiresAt }) =>
  api.post(path`/v1/services/${service}/grants`, {
    ...objectOf(to),
    permissions,
    startsAt,
    expiresAt,
  });

/** What is granted to somebody on a service, or null. */
export async function grantTo(service, to) {
  const { items } = await api.get("/v1/grants", { ...objectOf(to), serviceId: service });
  return items[0] ?? null;
}

/**
 * Replaces grants, all of them or none, so that nobody is without them in between. A record of the
 * import is the API's way to replace a grant's times too.
 * @param {{
 *   serviceId: any, authObjectType: string, authObjectId: any,
 *   permissions: string[], startsAt: number | null, expiresAt: number | null,
 * }[]} grants
 */
export function replaceGrants(grants) {
  const lines = grants.map((grant) => {
    const record = { record: "grant", ...grant };
    if (record.startsAt == null) delete record.startsAt;
    if (record.expiresAt == null) delete record.expiresAt;
    return `${JSON.stringify(record)}\n`;
  });
  const options = { body: lines.join(""), type: "application/x-ndjson" };
  return api.raw("POST", "/v1/import", options);
}

/** Takes back what is granted to somebody. */
export const takeBack = ({ serviceId, authObjectType, authObjectId }) =>
  api.delete(path`/v1/services/${serviceId}/grants`, { authObjectType, authObjectId });
