// The blocks of a page, and whether a command printed what the page shows.

const BLOCK = /^( *)```([a-z]*)\n([\s\S]*?)^\1```$/gm;

/** The word that begins each block of a page. */
export const fencesOf = (page) => [...page.matchAll(BLOCK)].map(([, , fence]) => fence);

/** The link targets of a page, without other sites. */
export const linksOf = (page) =>
  [...page.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link]) => link);

/** The headings of a page, as links name them. */
export const headingsOf = (page) =>
  [...page.replaceAll(BLOCK, "").matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\-_ ]/gu, "")
      .replaceAll(" ", "-"),
  );

/**
 * The commands of a page in order: `{ line, commands, shown }`. `shown` is the block that follows
 * directly, if it is an output.
 */
export function commandsOf(page) {
  const blocks = [...page.matchAll(BLOCK)];
  return blocks.flatMap((block, index) => {
    const [whole, , fence, commands] = block;
    if (fence !== "sh") return [];
    const line = page.slice(0, block.index).split("\n").length;
    const next = blocks[index + 1];
    const follows = next?.index === block.index + whole.length + 1;
    const isOutput = follows && ["json", "text"].includes(next[2]);
    return [{ line, commands, shown: isOutput ? next[3] : undefined }];
  });
}

/** Texts that differ from run to run, and the pattern that replaces each. */
const SHAPES = [
  // An ellipsis stands for any text.
  ["…", ".+"],
  ["\\d{4}-\\d\\d-\\d\\d\\d\\d:\\d\\d:\\d\\d", "\\d{4}-\\d\\d-\\d{4}:\\d\\d:\\d\\d"],
  ["[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"],
  // The distance of a time from now, if the page was typed slowly.
  ["-\\d{3}sfromnow", "-\\d{3}sfromnow"],
  // Times in milliseconds and in seconds.
  ["(?<!\\d)\\d{13}(?!\\d)", "\\d{13}"],
  ["(?<!\\d)\\d{10}(?!\\d)", "\\d{10}"],
];
const VARIES = new RegExp(SHAPES.map(([shape]) => `(${shape})`).join("|"), "g");

const packed = (text) => text.replaceAll(/\s+/g, "");
const literally = (text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

/**
 * Answers whether `printed` differs from what the page shows. White space is ignored, because pages
 * wrap long answers.
 */
export function differs(shown, printed) {
  const text = packed(shown);
  let pattern = "";
  let end = 0;
  for (const match of text.matchAll(VARIES)) {
    const [, of] = SHAPES[match.slice(1).findIndex((group) => group !== undefined)];
    pattern += literally(text.slice(end, match.index)) + of;
    end = match.index + match[0].length;
  }
  pattern += literally(text.slice(end));
  return !new RegExp(`^${pattern}$`, "s").test(packed(printed));
}
