// All pages, in the order of the navigation. A page is a module whose default export is a
// component.

/**
 * @typedef {{
 *   path: string,
 *   title: string,
 *   load: () => Promise<{default: any}>,
 *   group?: string,
 *   under?: string,
 *   open?: boolean,
 * }} PageRow `title` is the key of its text. `group` puts it into the navigation; `under` is the
 *   path whose entry is marked instead. An `open` page needs nobody to be signed in.
 */

/** @type {PageRow[]} */
export const PAGES = [
  {
    path: "/",
    title: "overview.title",
    group: "start",
    load: () => import("./pages/overview.mjs"),
  },

  { path: "/token", title: "token.title", group: "find", load: () => import("./pages/token.mjs") },
  { path: "/may", title: "may.title", group: "find", load: () => import("./pages/may.mjs") },
  { path: "/rules", title: "rules.title", group: "find", load: () => import("./pages/rules.mjs") },
  { path: "/audit", title: "audit.title", group: "find", load: () => import("./pages/audit.mjs") },

  { path: "/give", title: "give.title", group: "access", load: () => import("./pages/give.mjs") },
  {
    path: "/users",
    title: "users.title",
    group: "access",
    load: () => import("./pages/users.mjs"),
  },
  {
    path: "/users/:id",
    title: "user.title",
    under: "/users",
    load: () => import("./pages/user.mjs"),
  },
  {
    path: "/users/:id/:tab",
    title: "user.title",
    under: "/users",
    load: () => import("./pages/user.mjs"),
  },
  {
    path: "/tombstones",
    title: "tombstones.title",
    under: "/users",
    load: () => import("./pages/tombstones.mjs"),
  },
  {
    path: "/groups",
    title: "groups.title",
    group: "access",
    load: () => import("./pages/groups.mjs"),
  },
  {
    path: "/groups/:id",
    title: "group.title",
    under: "/groups",
    load: () => import("./pages/group.mjs"),
  },
  {
    path: "/departments",
    title: "departments.title",
    group: "access",
    load: () => import("./pages/departments.mjs"),
  },
  {
    path: "/departments/:id",
    title: "department.title",
    under: "/departments",
    load: () => import("./pages/department.mjs"),
  },
  {
    path: "/services",
    title: "services.title",
    group: "access",
    load: () => import("./pages/services.mjs"),
  },
  {
    path: "/services/:id",
    title: "service.title",
    under: "/services",
    load: () => import("./pages/service.mjs"),
  },

  {
    path: "/token-apps",
    title: "apps.title",
    group: "credentials",
    load: () => import("./pages/token_apps.mjs"),
  },
  {
    path: "/new-token-app",
    title: "apps.new",
    under: "/token-apps",
    load: () => import("./pages/token_app_edit.mjs"),
  },
  {
    path: "/token-apps/:name",
    title: "apps.title",
    under: "/token-apps",
    load: () => import("./pages/token_app.mjs"),
  },
  {
    path: "/token-apps/:name/edit",
    title: "apps.title",
    under: "/token-apps",
    load: () => import("./pages/token_app_edit.mjs"),
  },
  {
    path: "/token-apps/:name/secret",
    title: "replace.title",
    under: "/token-apps",
    load: () => import("./pages/token_app_secret.mjs"),
  },
  {
    path: "/revocations",
    title: "revocations.title",
    group: "credentials",
    load: () => import("./pages/revocations.mjs"),
  },
  {
    path: "/keys",
    title: "keys.title",
    group: "credentials",
    load: () => import("./pages/keys.mjs"),
  },
  { path: "/keys/:id", title: "key.title", under: "/keys", load: () => import("./pages/key.mjs") },
  {
    path: "/organizations",
    title: "organizations.title",
    group: "credentials",
    load: () => import("./pages/organizations.mjs"),
  },
  {
    path: "/organizations/:id",
    title: "organization.title",
    under: "/organizations",
    load: () => import("./pages/organization.mjs"),
  },
  {
    path: "/applications",
    title: "applications.title",
    group: "credentials",
    load: () => import("./pages/applications.mjs"),
  },
  {
    path: "/applications/:key",
    title: "application.title",
    under: "/applications",
    load: () => import("./pages/application.mjs"),
  },

  {
    path: "/transfer",
    title: "transfer.title",
    group: "operate",
    load: () => import("./pages/transfer.mjs"),
  },
  {
    path: "/reference",
    title: "reference.title",
    group: "operate",
    open: true,
    load: () => import("./pages/reference.mjs"),
  },
];

/** The groups of the navigation, in their order. */
export const GROUPS = ["start", "find", "access", "credentials", "operate"];
