// The part of a package-lock.json that one of its packages needs.

/** The lock with `name` and its dependencies only, none of them for development. */
export function lockOf({ packages }, name) {
  const needed = {};
  const take = (path) => {
    if (path in needed) return;
    const { dev, ...entry } = packages[path];
    needed[path] = entry;
    const optional = (peer) => entry.peerDependenciesMeta?.[peer]?.optional;
    const peers = Object.keys(entry.peerDependencies ?? {}).filter((peer) => !optional(peer));
    for (const required of [...Object.keys(entry.dependencies ?? {}), ...peers]) {
      const found = resolved(packages, path, required);
      if (!found) throw new Error(`package-lock.json lacks ${required}, which ${path} needs`);
      take(found);
    }
    for (const optional of Object.keys(entry.optionalDependencies ?? {})) {
      const found = resolved(packages, path, optional);
      if (found) take(found);
    }
  };
  take(`node_modules/${name}`);
  return {
    packages: Object.fromEntries(
      Object.entries(needed).sort(([one], [other]) => (one < other ? -1 : 1)),
    ),
  };
}

/** The place where Node finds a package: the nearest node_modules on the way up. */
function resolved(packages, from, name) {
  for (
    let path = from;
    ;
    path = path.slice(0, path.lastIndexOf("node_modules/")).replace(/\/$/, "")
  ) {
    const found = `${path === "" ? "" : `${path}/`}node_modules/${name}`;
    if (found in packages) return found;
    if (path === "") return undefined;
  }
}
