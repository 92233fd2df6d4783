// The main job, with the functions that hey-api generates. The client chooses the credential of
// each call from the document.

import { createClient, createConfig } from "./client/client";
import {
  addGrant,
  check,
  createUser,
  deleteGrant,
  deleteUser,
  getUser,
  listUsers,
  updateTokenApp,
  updateUser,
  verify,
} from "./client";
import { expect, password, postern, token, username } from "./environment";

const clientWith = (wanted: string, credential: string) =>
  createClient(
    createConfig({
      baseUrl: postern,
      auth: ({ scheme }) => (scheme === wanted ? credential : undefined),
    }),
  );
const admin = clientWith("basic", `${username}:${password}`);
const alice = clientWith("bearer", token);

const app = await updateTokenApp({
  client: admin,
  body: {
    name: "ERP",
    token_name: "token",
    secret: "abcd",
    expire: 86400,
    fieldmap: { username: "loginname", name: "name", email: "email" },
    algorithm: "HS256",
    enable: "1",
    inituser: "1",
    initroles: ["SYS_Reader"],
  },
});
expect("updateTokenApp", app.data?.success === true, app.error);

const verified = await verify({ client: alice });
expect("verify", verified.data?.user?.username === "alice", verified.error);

const created = await createUser({
  client: admin,
  body: { username: "bob", name: "Bob", email: "bob@example.com" },
});
const id = created.data?.id ?? 0;
expect("createUser", created.data?.username === "bob", created.error);

const listed = await listUsers({ client: admin, query: { limit: 2 } });
expect("listUsers", listed.data?.items.length === 2, listed.error);

const shown = await getUser({ client: admin, path: { id } });
expect("getUser", shown.data?.email === "bob@example.com", shown.error);

const changed = await updateUser({ client: admin, path: { id }, body: { name: "Robert" } });
expect("updateUser", changed.data?.name === "Robert", changed.error);

const granted = await addGrant({
  client: admin,
  path: { id: 1 },
  body: { authObjectType: "USER", authObjectId: id, permissions: ["TEST"] },
});
expect("addGrant", granted.data?.code === "S", granted.error);

const checked = await check({ client: admin, query: { service: 1, permission: "TEST", user: id } });
expect("check", checked.data?.allowed === true, checked.error);

const revoked = await deleteGrant({ client: admin, path: { id: granted.data?.data?.id ?? 0 } });
expect("deleteGrant", revoked.data?.code === "S", revoked.error);

const deleted = await deleteUser({ client: admin, path: { id } });
expect("deleteUser", deleted.response?.status === 204, deleted.error);
