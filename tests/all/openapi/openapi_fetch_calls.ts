// The main job, with openapi-fetch and the types of openapi-typescript.

import createClient from "openapi-fetch";
import { expect, password, postern, token, username } from "./environment";
import type { paths } from "./schema";

const basic = { Authorization: `Basic ${btoa(`${username}:${password}`)}` };
const admin = createClient<paths>({ baseUrl: postern, headers: basic });
const alice = createClient<paths>({
  baseUrl: postern,
  headers: { Authorization: `Bearer ${token}` },
});

const app = await admin.POST("/plugin/datafor-modeler/api/token/updateAuthorization", {
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
expect("updateAuthorization", app.data?.success === true, app.error);

const verified = await alice.GET("/v1/verify");
expect("verify", verified.data?.user?.username === "alice", verified.error);

const created = await admin.POST("/v1/users", {
  body: { username: "bob", name: "Bob", email: "bob@example.com" },
});
const id = created.data?.id ?? 0;
expect("create a user", created.data?.username === "bob", created.error);

const listed = await admin.GET("/v1/users", { params: { query: { limit: 2 } } });
expect("list users", listed.data?.items.length === 2, listed.error);

const shown = await admin.GET("/v1/users/{id}", { params: { path: { id } } });
expect("show a user", shown.data?.email === "bob@example.com", shown.error);

const changed = await admin.PATCH("/v1/users/{id}", {
  params: { path: { id } },
  body: { name: "Robert" },
});
expect("change a user", changed.data?.name === "Robert", changed.error);

const granted = await admin.POST("/api/v1/services/{id}/auth", {
  params: { path: { id: 1 } },
  body: { authObjectType: "USER", authObjectId: id, permissions: ["TEST"] },
});
expect("grant", granted.data?.code === "S", granted.error);

const checked = await admin.GET("/v1/check", {
  params: { query: { service: 1, permission: "TEST", user: id } },
});
expect("check", checked.data?.allowed === true, checked.error);

const revoked = await admin.DELETE("/api/v1/services/auth/{id}", {
  params: { path: { id: granted.data?.data?.id ?? 0 } },
});
expect("take a grant back", revoked.data?.code === "S", revoked.error);

const deleted = await admin.DELETE("/v1/users/{id}", { params: { path: { id } } });
expect("delete a user", deleted.response.status === 204, deleted.error);
