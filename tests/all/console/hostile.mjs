// What a page of the application tries against the API and the console: everything that a page can
// do to another host, and to its own.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { top } from "../../edge/support/workerd.mjs";

const document = JSON.parse(readFileSync(join(top, "public/v1/openapi.json")));

const VALUES = {
  name: "ERP",
  username: "alice",
  accessKey: "k1",
  prefix: "pst_",
  type: "User",
  resourceType: "User",
  permission: "VIEW",
  service: 1,
  urn: "u",
};

function sampleOf({ name, schema }) {
  if (name === "id") return schema.type === "integer" ? 1 : "o1";
  return VALUES[name] ?? (schema?.type === "integer" ? 1 : "1");
}

/** Every operation below /v1, with the example that the document has for its body. */
export function operations() {
  return Object.entries(document.paths)
    .filter(([path]) => path.startsWith("/v1/"))
    .flatMap(([template, item]) =>
      Object.entries(item).map(([method, { parameters = [], requestBody }]) => {
        const required = parameters.filter((one) => one.required);
        const path = required
          .filter((one) => one.in === "path")
          .reduce(
            (text, one) => text.replace(`{${one.name}}`, encodeURIComponent(sampleOf(one))),
            template,
          );
        const query = required
          .filter((one) => one.in === "query")
          .map((one) => `${one.name}=${sampleOf(one)}`);
        const [[, { example } = {}] = []] = Object.entries(requestBody?.content ?? {});
        const body =
          example === undefined
            ? undefined
            : typeof example === "string"
              ? example
              : JSON.stringify(example);
        return {
          method: method.toUpperCase(),
          path: query.length > 0 ? `${path}?${query.join("&")}` : path,
          body,
        };
      }),
    );
}

/**
 * Calls every operation by fetch in the page, in each way that a page has. Answers those whose
 * answer could be read: `{ how, method, path, status, text }`.
 */
export const callAll = (page, target, all) =>
  page.evaluate(
    async ([base, requests]) => {
      const read = [];
      const ways = [
        [
          "cors",
          (body) => ({
            mode: "cors",
            ...(body && { headers: { "content-type": "application/json" } }),
          }),
        ],
        [
          "simple",
          (body) => ({ mode: "cors", ...(body && { headers: { "content-type": "text/plain" } }) }),
        ],
        ["no-cors", () => ({ mode: "no-cors" })],
      ];
      const call = async ([how, init], { method, path, body }) => {
        try {
          const sent = method === "GET" ? undefined : body;
          const answer = await fetch(base + path, {
            method,
            body: sent,
            credentials: "include",
            redirect: "manual",
            ...init(sent),
          });
          if (answer.type !== "opaque")
            read.push({
              how,
              method,
              path,
              status: answer.status,
              text: (await answer.text()).slice(0, 300),
            });
        } catch {
          // Neither sent nor read.
        }
      };
      for (const way of ways) {
        for (let at = 0; at < requests.length; at += 8)
          await Promise.all(requests.slice(at, at + 8).map((one) => call(way, one)));
      }
      return read;
    },
    [target, all],
  );

/**
 * Sends forms, beacons and tags to every operation, waits until they are answered, and answers what
 * could be read of them: texts that frames, scripts, styles and pictures gave away.
 */
export const sendForms = (page, target, all) =>
  page.evaluate(
    async ([base, requests]) => {
      const given = [];
      const loaded = (element) =>
        new Promise((done) =>
          ["load", "error"].forEach((kind) => element.addEventListener(kind, done, { once: true })),
        );
      const patience = () => new Promise((done) => setTimeout(done, 1500));
      const frame = async (act) => {
        const element = document.createElement("iframe");
        element.name = `f${Math.random()}`;
        document.body.append(element);
        const ready = loaded(element);
        act(element);
        await Promise.race([ready, patience()]);
        try {
          const text = element.contentDocument?.body?.textContent;
          if (text) given.push(text.slice(0, 300));
        } catch {
          // Of another origin.
        }
        element.remove();
      };
      const form = ({ method, path, body }, enctype) =>
        frame((element) => {
          const sent = Object.assign(document.createElement("form"), {
            action: base + path,
            method: method === "GET" ? "get" : "post",
            enctype,
            target: element.name,
          });
          const fields = [
            ["_method", method],
            [body ?? "x", "1"],
          ];
          for (const [name, value] of fields)
            sent.append(
              Object.assign(document.createElement("input"), { name, value, type: "hidden" }),
            );
          document.body.append(sent);
          sent.submit();
          sent.remove();
        });
      const tag = async (name, members) => {
        const element = Object.assign(document.createElement(name), members);
        const ready = loaded(element);
        document.head.append(element);
        await Promise.race([ready, patience()]);
        element.remove();
      };
      const changing = requests.filter(({ method }) => method !== "GET");
      const reading = requests.filter(({ method }) => method === "GET");
      for (const enctype of [
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data",
      ]) {
        for (let at = 0; at < changing.length; at += 12)
          await Promise.all(changing.slice(at, at + 12).map((one) => form(one, enctype)));
      }
      for (const { path, body } of changing) navigator.sendBeacon(base + path, body ?? "");
      for (let at = 0; at < reading.length; at += 12) {
        const part = reading.slice(at, at + 12);
        await Promise.all(part.map(({ path }) => frame((element) => (element.src = base + path))));
        await Promise.all(part.map(({ path }) => tag("script", { src: base + path })));
        await Promise.all(
          part.map(({ path }) => tag("link", { rel: "stylesheet", href: base + path })),
        );
        await Promise.all(part.map(({ path }) => tag("img", { src: base + path })));
      }
      return given;
    },
    [target, all],
  );

/**
 * Tries to get into the console itself: frames, windows, messages, sockets, workers, storage.
 * Answers what it got.
 */
export const intrude = (page, target) =>
  page.evaluate(async (base) => {
    const got = {};
    const attempt = async (name, act) => {
      try {
        got[name] = (await act()) ?? null;
      } catch (error) {
        got[name] = { refused: error.name };
      }
    };
    const wait = (ms) => new Promise((done) => setTimeout(done, ms));
    const messages = [];
    addEventListener("message", ({ data }) => messages.push(data));
    await attempt("frame", async () => {
      const element = document.body.appendChild(
        Object.assign(document.createElement("iframe"), { src: `${base}/v1/console/` }),
      );
      await wait(1000);
      const text = element.contentDocument?.body?.textContent;
      element.contentWindow.postMessage({ type: "session" }, "*");
      await wait(100);
      element.remove();
      return text;
    });
    await attempt("window", async () => {
      const opened = open(`${base}/v1/console/#/users/100?do=disconnect`);
      await wait(1500);
      for (const route of ["#/users/100?do=delete", "#/token-apps/ERP?do=delete"]) {
        opened.location = `${base}/v1/console/${route}`;
        await wait(300);
      }
      opened.postMessage({ type: "delete" }, "*");
      opened.focus();
      await wait(100);
      globalThis.opened = opened;
      return [opened.document.body.textContent, opened.location.href];
    });
    await attempt("storage", () => globalThis.opened.localStorage.length);
    await attempt("function", () => globalThis.opened.eval("1"));
    await attempt("session in the window", () => globalThis.opened.fetch("/v1/users"));
    await attempt("socket", async () => {
      const socket = new WebSocket(`${base.replace("http", "ws")}/v1/users`);
      return new Promise((done) => {
        socket.onopen = () => done("open");
        socket.onmessage = ({ data }) => done(data);
        socket.onerror = () => done(null);
      });
    });
    await attempt(
      "events",
      () =>
        new Promise((done) => {
          const source = new EventSource(`${base}/v1/export`, { withCredentials: true });
          source.onmessage = ({ data }) => done(data);
          source.onerror = () => {
            source.close();
            done(null);
          };
        }),
    );
    await attempt("service worker", () =>
      navigator.serviceWorker
        .register(`${base}/v1/console/main.mjs`, { scope: "/v1/", type: "module" })
        .then(() => "registered"),
    );
    await attempt(
      "worker",
      () =>
        new Promise((done) => {
          const worker = new Worker(`${base}/v1/console/main.mjs`, { type: "module" });
          worker.onmessage = ({ data }) => done(data);
          worker.onerror = () => done(null);
          setTimeout(done, 1000);
        }),
    );
    await attempt("import", async () => {
      const { api } = await import(`${base}/v1/console/api.mjs`);
      return api;
    });
    await attempt(
      "xhr",
      () =>
        new Promise((done) => {
          const asked = new XMLHttpRequest();
          asked.open("GET", `${base}/v1/users`);
          asked.withCredentials = true;
          asked.onloadend = () => done(asked.responseText || null);
          asked.send();
        }),
    );
    await attempt("planted cookies", () => {
      const site = location.hostname.split(".").slice(-2).join(".");
      for (const name of ["__Host-postern-admin", "postern-admin"]) {
        for (const more of ["", "; Secure", `; Domain=${site}`, `; Domain=${site}; Secure`])
          document.cookie = `${name}=planted; Path=/${more}`;
      }
      return null;
    });
    got.messages = messages;
    globalThis.opened?.close();
    return got;
  }, target);
