// What is in the Postern of the tests: a small company, with names that want to be markup.

/** Names that have to be shown as the text that they are. */
export const NASTY = {
  markup: `<img src=x onerror="globalThis.hit=1"><script>globalThis.hit=1</script>`,
  quotes: `"'\`&amp;&lt;{{7*7}}\${7*7}`,
  rightToLeft: "\u202Eמזהה משתמש\u202C العربية",
  long: "lang".repeat(60),
};

export const SECRET = "0123456789abcdef0123456789abcdef";

const line = (record, members) => JSON.stringify({ record, ...members });

/** The lines of an import. */
export function lines() {
  const people = ["alice", "bob", "carol", "dave", "erin", "frank"];
  const users = people.map((username, at) =>
    line("user", {
      id: 100 + at,
      username,
      name: `${username[0].toUpperCase()}${username.slice(1)} Example`,
      type: at === 5 ? "SYS_Creator" : "SYS_Reader",
      enabled: at !== 4,
    }),
  );
  const nasty = Object.entries(NASTY).map(([kind, name], at) =>
    line("user", {
      id: 200 + at,
      username: `nasty-${kind}`,
      name,
      type: "SYS_Reader",
      enabled: true,
    }),
  );
  const services = ["Reports", "Maps", NASTY.markup, NASTY.rightToLeft].map((name, at) =>
    line("service", { id: at + 1, name, authEnabled: true }),
  );
  const departments = [
    line("department", { id: 1, name: "Company" }),
    line("department", { id: 2, name: "Sales", parentId: 1 }),
    line("department", { id: 3, name: NASTY.markup, parentId: 1 }),
  ];
  const groups = ["Analysts", "Editors", NASTY.markup, NASTY.quotes].map((name, at) =>
    line("group", { id: at + 1, name }),
  );
  const members = [
    ["GROUP", 1, 100],
    ["GROUP", 1, 101],
    ["DEPT", 2, 100],
    ["GROUP", 3, 200],
  ].map(([authObjectType, authObjectId, userId]) =>
    line("member", { userId, authObjectType, authObjectId }),
  );
  const grants = [
    [1, "DEPT", 2, ["VIEW", "EXPORT"]],
    [1, "USER", 102, ["VIEW", "MODIFY"]],
    [2, "GROUP", 2, ["VIEW"]],
    [3, "GROUP", 3, ["VIEW"]],
  ].map(([serviceId, authObjectType, authObjectId, permissions]) =>
    line("grant", { serviceId, authObjectType, authObjectId, permissions }),
  );
  const organizations = [
    line("organization", { id: "o1", name: "Wind" }),
    line("organization", { id: "o2", name: NASTY.markup }),
  ];
  return [
    ...users,
    ...nasty,
    ...services,
    ...departments,
    ...groups,
    ...members,
    ...grants,
    ...organizations,
  ];
}

/**
 * Brings all of it into a Postern, with a token app, a key for machines, an application and an
 * audit trail.
 */
export async function fill(postern) {
  await postern.ask("POST", "/v1/import", undefined, lines().join("\n"));
  await postern.ask("POST", "/v1/token-apps", {
    name: "ERP",
    algorithm: "HS256",
    secret: SECRET,
    claims: { username: "sub" },
    createsUsers: false,
  });
  await postern.ask("POST", "/v1/keys", { name: "billing", may: ["decisions"] });
  await postern.ask("POST", "/v1/keys", { name: "reports of 2024", may: ["provisioning"] });
  await postern.ask("POST", "/v1/applications", {
    organization: "o1",
    accessKey: "k1",
    name: "Turbines",
  });
  await postern.ask("POST", "/v1/applications", {
    organization: "o2",
    accessKey: "k2",
    name: NASTY.markup,
  });
  await postern.ask("PATCH", "/v1/users/103", { name: "Dave Changed" });
  await postern.ask("DELETE", "/v1/users/203");
}
