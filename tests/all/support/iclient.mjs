// The GIS manager's own client for browsers, `@supermap/iclient-common`, as one script for a page.

import { createRequire } from "node:module";
import { join } from "node:path";
import { top } from "../../edge/support/workerd.mjs";
import { npmPackages } from "./programs.mjs";

/** By the name under which tests/all/package.json installs each version. */
export const VERSIONS = {
  "iclient-9.1": "9.1.2",
  "iclient-10.2": "10.2.1",
  "iclient-11.0": "11.0.1",
  "iclient-11.1": "11.1.1",
};

const PARTS = ["security/SecurityManager", "iManager/iManager", "iServer/MapService"];

/** The script, which exports the client as `iclient`. */
export async function bundle(name) {
  const { build } = createRequire(createRequire(join(top, "x")).resolve("wrangler/package.json"))(
    "esbuild",
  );
  const contents = PARTS.map((part) => `export * from "${name}/${part}";`).join("\n");
  const stdin = { contents, resolveDir: join(npmPackages, "..") };
  const { outputFiles } = await build({
    stdin,
    bundle: true,
    write: false,
    format: "iife",
    globalName: "iclient",
    logLevel: "silent",
  });
  return outputFiles[0].text;
}
