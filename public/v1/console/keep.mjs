// What the browser keeps: choices for good (localStorage), drafts for the tab (sessionStorage).
// A browser that refuses storage loses them, and nothing else.

const PREFIX = "postern.";

/** @param {Storage | undefined} storage */
const shelf = (storage) => ({
  /** @param {string} name @returns {any} `null` where there is none */
  read(name) {
    try {
      return JSON.parse(storage.getItem(PREFIX + name));
    } catch {
      return null;
    }
  },
  /** @param {string} name @param {any} value `null` removes it */
  write(name, value) {
    try {
      if (value === null) storage.removeItem(PREFIX + name);
      else storage.setItem(PREFIX + name, JSON.stringify(value));
    } catch {
      // It is full or switched off.
    }
  },
});

const storageOf = (name) => {
  try {
    return globalThis[name];
  } catch {
    return undefined;
  }
};

export const choices = shelf(storageOf("localStorage"));
export const drafts = shelf(storageOf("sessionStorage"));
