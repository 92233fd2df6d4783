// Import and export in the console: how far they are, and how they go on after an interruption.

import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { opened } from "./opened.mjs";
import { postern } from "./shared.mjs";

test("an export is the file that the API brings, and goes on after it broke off", async (test) => {
  const { page, t, press, check } = await opened(test, "#/transfer", {
    allowed: [/Failed to load resource/],
  });
  const whole = (
    await postern.send({
      path: "/v1/export",
      headers: {
        authorization: `Basic ${Buffer.from("admin:correct horse admin").toString("base64")}`,
      },
    })
  ).text;
  const lines = whole.split("\n");
  let broken = 0;
  await page.route("**/v1/export?**", async (route) => {
    if (broken++ > 0) return route.continue();
    const body = `${lines.slice(0, 9).join("\n")}\n${lines[9].slice(0, 10)}`;
    return route.fulfill({
      status: 200,
      headers: {
        "content-type": "application/x-ndjson",
        "x-postern-total": String(lines.length - 1),
      },
      body,
    });
  });
  await page
    .getByRole("button", { name: t("transfer.bringOut"), exact: true })
    .first()
    .click();
  await page.getByRole("alert").waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), press("transfer.goOn")]);
  assert.equal(download.suggestedFilename(), "postern.ndjson");
  assert.equal(readFileSync(await download.path(), "utf8"), whole);
  assert.equal(broken, 2);
  check();
});

/** Records that take several requests. */
const RECORDS = Array.from({ length: 9000 }, (_, at) =>
  JSON.stringify({ record: "group", id: 10_000 + at, name: `imported ${at} ${"x".repeat(200)}` }),
);

const file = (lines, name = "records.ndjson") => ({
  name,
  mimeType: "application/x-ndjson",
  buffer: Buffer.from(lines.join("\n")),
  lastModified: 1,
});

test("an import shows its progress, waits for Postern, and goes on after a reload", async (test) => {
  const { page, t, press, confirmed, check } = await opened(test, "#/transfer", {
    allowed: [/Failed to load resource/],
  });
  const bodies = [];
  let mode = "passing";
  await page.route("**/v1/import?**", (route) => {
    bodies.push(route.request().postDataBuffer().length);
    if (mode === "down" || (mode === "passing" && bodies.length === 2))
      return route.fulfill({
        status: mode === "down" ? 403 : 503,
        contentType: "application/problem+json",
        body: '{"status":503,"detail":"down"}',
      });
    if (bodies.length === 3) mode = "down";
    return route.continue();
  });
  const path = `${process.env.TMPDIR ?? "/tmp"}/postern-console-import-${process.pid}.ndjson`;
  writeFileSync(path, RECORDS.join("\n"));
  test.after(() => rmSync(path, { force: true }));
  await page.getByLabel(t("transfer.file")).setInputFiles(path);
  await page.getByRole("button", { name: t("transfer.bringIn"), exact: true }).click();
  await confirmed("transfer.bringIn");
  await page.getByRole("alert").waitFor();
  assert.ok(Number(await page.getByRole("progressbar").getAttribute("value")) > 0.3);
  assert.equal(bodies.length, 4, "the second was sent again, and the fourth was refused");
  await page.unroute("**/v1/import?**");
  await page.reload();
  await page.getByRole("heading", { level: 1, name: t("transfer.title") }).waitFor();
  await page.getByLabel(t("transfer.file")).setInputFiles(path);
  await page.getByText(t("transfer.anew")).waitFor();
  await press("transfer.goOn");
  const sent = [];
  page.on(
    "request",
    (request) => request.url().includes("/v1/import") && sent.push(request.postDataBuffer().length),
  );
  await confirmed("transfer.bringIn");
  await page.getByText(t("transfer.imported", { n: "9,000" })).waitFor();
  const total = RECORDS.join("\n").length;
  assert.ok(
    sent.reduce((sum, one) => sum + one, 0) < total / 2 + 1024 * 1024,
    "it has not begun anew",
  );
  assert.ok(bodies.every((length) => length <= 1024 * 1024));
  const listed = await postern.ask("GET", "/v1/groups/18999");
  assert.match(listed.name, /^imported 8999 /);
  check();
});

test("a wrong line of an import is shown with its number in the file", async (test) => {
  const { page, t, press, confirmed, check } = await opened(test, "#/transfer", {
    allowed: [/Failed to load resource/],
  });
  await page
    .getByLabel(t("transfer.file"))
    .setInputFiles(
      file([
        "",
        '{"record":"group","id":1,"name":"Analysts"}',
        '{"record":"group","id":"x","name":"wrong"}',
      ]),
    );
  await press("transfer.bringIn");
  await confirmed("transfer.bringIn");
  const alert = page.getByRole("alert");
  await alert.waitFor();
  assert.match(await alert.locator("li").first().innerText(), /^3\b.*\bid\b/s);
  check();
});
