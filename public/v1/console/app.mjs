// The shell: who is signed in, the navigation, the page, and what lies over it.

import { choose, language, LANGUAGES, speak, t } from "./i18n.mjs";
import { choices } from "./keep.mjs";
import { classes, html, render, useEffect, useRef, useState, useStore } from "./lib.mjs";
import { GROUPS, PAGES } from "./pages.mjs";
import { SignInDialog, SignInPage, Elsewhere } from "./parts/sign_in.mjs";
import { href, match, place } from "./router.mjs";
import { atWork, isSignedIn, readSession, session, signOut } from "./session.mjs";
import { Confirmations } from "./ui/dialog.mjs";
import { Said } from "./ui/notice.mjs";
import { Button, Loaded, NotFound, Page, ProblemNotice, useAction, useLoad } from "./ui.mjs";

/** The page of a path, with the values in the path. */
function pageAt(path) {
  for (const page of PAGES) {
    const params = match(page.path, path);
    if (params) return { page, params };
  }
  return { page: null, params: {} };
}

function App() {
  const tag = useStore(language);
  const started = useLoad(readSession, []);
  return html`<${Fragmented} key=${tag} started=${started} />`;
}

function Fragmented({ started }) {
  const is = useStore(session);
  const working = useStore(atWork);
  const { path, query } = useStore(place);
  const { page, params } = pageAt(path);
  // What comes after signing in is another page, whose heading takes the focus.
  if (is && !working && !page?.open) Shown.before = "";
  const shown = { page, params, query, path };
  return html`
    <a class="skip" href="#content" onClick=${skip}>${t("shell.skip")}</a>
    <${Head} is=${is} working=${working} />
    <div class="body">
      ${
        is &&
        (working || is.signIn !== "here") &&
        html`
        <${Navigation} working=${working} current=${page?.under ?? page?.path} />
      `
      }
      <main id="content" tabindex="-1">
        ${
          is
            ? html`<${Content} is=${is} working=${working} shown=${shown} />`
            : html`<${Loaded} of=${started}>${() => null}<//>`
        }
      </main>
    </div>
    <${Confirmations} />
    <${SignInDialog} />
    <${Said} />
  `;
}

/** The page, or what stands for it while nobody is signed in. */
function Content({ is, working, shown }) {
  const { page, params } = shown;
  if (working || page?.open) {
    const key = `${page?.path} ${Object.values(params)[0] ?? ""}`;
    return html`<${Shown} key=${key} ...${shown} />`;
  }
  return is.signIn === "here" ? html`<${SignInPage} />` : html`<${Elsewhere} is=${is} />`;
}

/** The fragment is the page's, so the link moves the focus by itself. */
function skip(event) {
  event.preventDefault();
  document.getElementById("content").focus();
}

/** A page, loaded when it is first opened. */
function Shown({ page, params, query, path }) {
  const loaded = useLoad(async () => (page ? (await page.load()).default : NotFound), [page]);
  const where = useRef();
  const Component = loaded.data;
  useEffect(() => {
    if (!Component) return;
    // The first page keeps the focus where the browser puts it.
    if (Shown.before !== undefined && Shown.before !== path) focusHeading(where.current);
    Shown.before = path;
  }, [Component, path]);
  return html`<div ref=${where}>
    ${
      loaded.problem &&
      html`<${Page} title=${t(page.title)}>
      <${ProblemNotice} problem=${loaded.problem} again=${() => location.reload()} />
    <//>`
    }
    ${Component && html`<${Component} params=${params} query=${query} />`}
  </div>`;
}

function focusHeading(within) {
  scrollTo(0, 0);
  const heading = within.querySelector("h1") ?? document.getElementById("content");
  heading?.focus({ preventScroll: true });
}

function Head({ is, working }) {
  return html`<header class="top">
    <a class="brand" href=${href("/")}>
      <img src="icon.svg" alt="" width="24" height="24" />
      <span>Postern</span>
    </a>
    <div class="tools">
      <${Language} />
      <${Theme} />
      ${isSignedIn(is) && html`<${Account} is=${is} />`}
      ${
        is &&
        !working &&
        is.signIn === "here" &&
        place.get().path !== "/" &&
        html`
        <a href=${href("/")}>${t("session.signIn")}</a>
      `
      }
    </div>
  </header>`;
}

function Language() {
  const now = useStore(language);
  return html`<label class="tool">
    <span class="sr-only">${t("shell.language")}</span>
    <select value=${now} onChange=${(event) => choose(event.currentTarget.value)}>
      ${Object.entries(LANGUAGES).map(
        ([tag, name]) => html`
        <option key=${tag} value=${tag} lang=${tag} selected=${tag === now}>${name}</option>
      `,
      )}
    </select>
  </label>`;
}

function Theme() {
  const [theme, setTheme] = useState(choices.read("theme") ?? "system");
  const chosen = (event) => {
    const next = event.currentTarget.value;
    setTheme(next);
    choices.write("theme", next === "system" ? null : next);
    dispatchEvent(new CustomEvent("postern:theme", { detail: next }));
  };
  return html`<label class="tool">
    <span class="sr-only">${t("shell.theme")}</span>
    <select value=${theme} onChange=${chosen}>
      ${["system", "light", "dark"].map(
        (one) => html`
        <option key=${one} value=${one} selected=${one === theme}>
          ${t(`shell.theme.${one}`)}
        </option>
      `,
      )}
    </select>
  </label>`;
}

function Account({ is }) {
  const leave = useAction(signOut);
  const name = is.user?.username ?? is.key?.name;
  return html`<span class="account">
    <bdi dir="auto" class="who" title=${is.key ? t("session.byKey") : name}>${name}</bdi>
    <${Button} kind="secondary outline" small busy=${leave.busy} onClick=${() => leave.run()}>
      ${t("session.signOut")}
    <//>
  </span>`;
}

/** On narrow screens a button opens it. */
function Navigation({ working, current }) {
  const [open, setOpen] = useState(false);
  const { path } = useStore(place);
  useEffect(() => setOpen(false), [path]);
  const rows = PAGES.filter((page) => page.group && (working || page.open));
  return html`<nav class="side" aria-label=${t("shell.navigation")}>
    <button
      type="button"
      class="menu secondary outline"
      aria-expanded=${open ? "true" : "false"}
      aria-controls="navigation"
      onClick=${() => setOpen(!open)}
    >
      ☰ ${t("shell.menu")}
    </button>
    <div id="navigation" class=${classes("groups", open && "open")}>
      ${GROUPS.map(
        (group) => html`
        <${Group}
          key=${group}
          group=${group}
          rows=${rows.filter((row) => row.group === group)}
          current=${current}
        />
      `,
      )}
    </div>
  </nav>`;
}

const Group = ({ group, rows, current }) =>
  rows.length > 0 &&
  html`<div class="group">
  ${
    group !== "start" &&
    html`
    <p id=${`group-${group}`} class="group-name">${t(`shell.group.${group}`)}</p>
  `
  }
  <ul aria-labelledby=${group === "start" ? undefined : `group-${group}`}>
    ${rows.map(
      ({ path, title }) => html`
      <li key=${path}>
        <a href=${href(path)} aria-current=${path === current ? "page" : undefined}>${t(title)}</a>
      </li>
    `,
    )}
  </ul>
</div>`;

await speak(language.get());
render(html`<${App} />`, document.getElementById("app"));
