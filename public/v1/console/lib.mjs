// What every module of the console needs of preact and htm, and a value that components can watch.

import { Fragment, createContext, h, render } from "./vendor/preact.mjs";
import {
  useCallback,
  useContext,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "./vendor/hooks.mjs";
import htm from "./vendor/htm.mjs";

export { Fragment, createContext, h, render };
export { useCallback, useContext, useEffect, useId, useLayoutEffect, useMemo, useRef, useState };

/** Makes elements of a template: html`<p>${text}</p>`. */
export const html = htm.bind(h);

/**
 * A value that components can watch.
 * @template T
 * @param {T} value
 */
export function makeStore(value) {
  const watchers = new Set();
  return {
    get: () => value,
    /** @param {T} next */
    set(next) {
      value = next;
      for (const watcher of [...watchers]) watcher(next);
    },
    /** @param {(value: T) => void} watcher @returns {() => void} what ends the watching */
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
  };
}

/** The value of a store; the component renders again when it changes. */
export function useStore(store) {
  const [value, setValue] = useState(store.get());
  useLayoutEffect(() => {
    setValue(store.get());
    return store.watch(setValue);
  }, [store]);
  return value;
}

/** The names of the classes that hold: classes("row", wide && "wide"). */
export const classes = (...names) => names.filter(Boolean).join(" ");
