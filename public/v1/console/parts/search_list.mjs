// A list that is searched by the beginning of the name. The search is in the URL, so that "back"
// finds it again.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html, useEffect, useId, useState } from "../lib.mjs";
import { go, place } from "../router.mjs";
import { Table, usePages } from "../ui.mjs";

const PAUSE_MS = 250;

/**
 * @param {{
 *   at: string,
 *   query: Record<string, string>,
 *   label: string,
 *   caption: string,
 *   columns: any[],
 *   empty: any,
 *   changed?: any,
 * }} props `at` is where the API lists them; a new `changed` reads the list again
 */
export function SearchList({ at, query, label, caption, columns, empty, changed }) {
  const search = query.search ?? "";
  const [text, setText] = useState(search);
  const id = useId();
  // Going back changes the search from outside.
  useEffect(() => setText((typed) => (typed.trim() === search ? typed : search)), [search]);
  useEffect(() => {
    if (text.trim() === search) return undefined;
    const { path } = place.get();
    const find = () => go(path, { ...query, search: text.trim() }, { replace: true });
    const timer = setTimeout(find, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const pages = usePages(
    (page, signal) => api.get(at, { ...page, search }, { signal }),
    [at, search, changed],
  );
  return html`
    <search class="field searching">
      <label for=${id}>${label}</label>
      <input
        id=${id}
        type="search"
        dir="auto"
        autocomplete="off"
        value=${text}
        onInput=${(event) => setText(event.currentTarget.value)}
      />
    </search>
    <${Table}
      caption=${caption}
      columns=${columns}
      rowKey=${(row) => row.id}
      of=${pages}
      empty=${search ? t("common.nothingBegins", { text: search }) : empty}
    />
  `;
}
