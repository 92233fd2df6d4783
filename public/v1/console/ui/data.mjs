// Loading and sending, as components use them.

import { Problem } from "../http.mjs";
import { useCallback, useEffect, useRef, useState } from "../lib.mjs";

/** Any other error is a mistake of the console, which its developers want to see. */
function asProblem(error) {
  if (error instanceof Problem) return error;
  console.error(error);
  return new Problem({ status: 0, reason: "page", detail: `${error}` });
}

/**
 * Loads a value when the component appears, and again when a dependency changes.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} load
 * @param {any[]} dependencies
 * @returns {{
 *   data: T | undefined, problem: Problem | null, loading: boolean,
 *   reload: () => void, set: (data: T) => void,
 * }} While it loads again, `data` stays what it was.
 */
export function useLoad(load, dependencies) {
  const [state, setState] = useState({ loading: true, problem: null });
  const [again, setAgain] = useState(0);
  useEffect(() => {
    const control = new AbortController();
    setState((before) => ({ ...before, loading: true }));
    load(control.signal).then(
      (data) => control.signal.aborted || setState({ data, loading: false, problem: null }),
      (error) =>
        control.signal.aborted ||
        setState((before) => ({ ...before, loading: false, problem: asProblem(error) })),
    );
    return () => control.abort();
  }, [...dependencies, again]);
  const reload = useCallback(() => setAgain((times) => times + 1), []);
  const set = useCallback((data) => setState({ data, loading: false, problem: null }), []);
  return { ...state, reload, set };
}

/**
 * A long list, page by page. `fetchPage` gets `{limit, cursor}` for the query, and answers
 * `{items, next}` as the API has it.
 * @param {(
 *   query: {limit: number, cursor?: string},
 *   signal: AbortSignal,
 * ) => Promise<{items: any[], next: string | null}>} fetchPage
 * @param {any[]} dependencies a change goes back to the first page
 * @param {{limit?: number}} [options]
 */
export function usePages(fetchPage, dependencies, { limit = 25 } = {}) {
  // The cursor of each page up to the one that is shown; the first has none. They are of one list:
  // with other dependencies it is another list, from its beginning.
  const list = JSON.stringify(dependencies);
  const [state, setState] = useState({ list, cursors: [undefined] });
  const cursors = state.list === list ? state.cursors : [undefined];
  const setCursors = (next) => setState({ list, cursors: next });
  const loaded = useLoad(
    (signal) => fetchPage({ limit, cursor: cursors.at(-1) }, signal),
    [list, cursors.at(-1)],
  );
  const next = loaded.data?.next;
  return {
    ...loaded,
    items: loaded.data?.items,
    page: cursors.length,
    next: next ? () => setCursors([...cursors, next]) : null,
    previous: cursors.length > 1 ? () => setCursors(cursors.slice(0, -1)) : null,
  };
}

/**
 * Something that a button or a form does.
 * @param {(...values: any[]) => Promise<any>} act
 * @returns {{
 *   run: (...values: any[]) => Promise<boolean>, again: () => Promise<boolean>,
 *   busy: boolean, problem: Problem | null, clear: () => void,
 * }} `run` answers whether it went well; `again` repeats what was run last.
 */
export function useAction(act) {
  const [state, setState] = useState({ busy: false, problem: null });
  const last = useRef([]);
  const running = useRef(false);
  const run = async (...values) => {
    if (running.current) return false;
    running.current = true;
    last.current = values;
    setState({ busy: true, problem: null });
    try {
      await act(...values);
      setState({ busy: false, problem: null });
      return true;
    } catch (error) {
      setState({ busy: false, problem: asProblem(error) });
      return false;
    } finally {
      running.current = false;
    }
  };
  const clear = () => setState({ busy: false, problem: null });
  return { run, again: () => run(...last.current), ...state, clear };
}
