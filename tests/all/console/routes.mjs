// Every page of the console with an example of its address. A page without one fails the tests.

import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { top } from "../../edge/support/workerd.mjs";

const { PAGES } = await import(pathToFileURL(join(top, "public/v1/console/pages.mjs")));

const EXAMPLES = {
  "/users/:id": ["/users/100"],
  "/users/:id/:tab": ["/users/100/access", "/users/100/groups", "/users/100/tokens"],
  "/groups/:id": ["/groups/1"],
  "/departments/:id": ["/departments/1"],
  "/services/:id": ["/services/1"],
  "/token-apps/:name": ["/token-apps/ERP"],
  "/token-apps/:name/edit": ["/token-apps/ERP/edit"],
  "/token-apps/:name/secret": ["/token-apps/ERP/secret"],
  "/keys/:id": ["/keys/1"],
  "/organizations/:id": ["/organizations/o1"],
  "/applications/:key": ["/applications/k1"],
};

/** Pages in a state that shows more. */
const STATES = [
  "/keys?do=new",
  "/organizations?do=new",
  "/applications?do=new",
  "/reference?op=explain",
  "/give?to=group:1&service=2",
  "/may?user=alice&service=1&permission=VIEW",
  "/nowhere",
];

export const ROUTES = [
  ...PAGES.flatMap(({ path }) => {
    if (!path.includes(":")) return [path];
    assert.ok(EXAMPLES[path], `the page ${path} has no example in tests/all/console/routes.mjs`);
    return EXAMPLES[path];
  }),
  ...STATES,
];

/** The name of a route in a file's name. */
export const fileName = (route) =>
  route.replace(/[^\w]+/g, "-").replace(/^-|-$/g, "") || "overview";
