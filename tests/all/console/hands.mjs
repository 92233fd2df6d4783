// The same deed by mouse and by keyboard alone. A hand presses, types and chooses what a person
// finds by its role and name.

import assert from "node:assert/strict";

const MAX_TABS = 150;

/** With the mouse; typing needs the keyboard. */
export const byMouse = (page) => ({
  press: (target) => target.click(),
  type: async (target, text) => {
    await target.click();
    await target.fill(text);
  },
  choose: (target, label) => target.selectOption({ label }),
  tick: (target) => target.check(),
  /** An option of a field that searches. */
  pick: (_, option) => option.click(),
  paste: async (target, text) => {
    await target.click();
    await page.keyboard.insertText(text);
  },
});

/**
 * With the keyboard alone: everything is reached by Tab, and what has the focus is seen to have it.
 */
export const byKeyboard = (page) => {
  const reach = async (target) => {
    await target.waitFor();
    const isThere = () =>
      target.evaluate((element) => element === element.ownerDocument.activeElement);
    if (!(await isThere())) await reachByTab(page, target, isThere);
    await expectVisibleFocus(target);
  };
  return {
    async press(target) {
      await reach(target);
      await page.keyboard.press("Enter");
    },
    async type(target, text) {
      await reach(target);
      await page.keyboard.press("Control+A");
      await page.keyboard.press("Delete");
      await page.keyboard.type(text);
    },
    async choose(target, label) {
      await reach(target);
      const labels = await target.evaluate((select) =>
        [...select.options].map(({ label }) => label.trim()),
      );
      const [to, from] = [
        labels.indexOf(label),
        await target.evaluate((select) => select.selectedIndex),
      ];
      assert.notEqual(to, -1, `${label} is not among ${labels.join(", ")}`);
      for (let at = from; at !== to; at += Math.sign(to - from))
        await page.keyboard.press(to > at ? "ArrowDown" : "ArrowUp");
    },
    async tick(target) {
      await reach(target);
      if (!(await target.isChecked())) await page.keyboard.press("Space");
    },
    async paste(target, text) {
      await reach(target);
      await page.keyboard.insertText(text);
    },
    /** The options are reached by arrows, the first one is marked already. */
    async pick(field, option) {
      const isMarked = async () => (await option.getAttribute("aria-selected")) === "true";
      for (let count = 0; count < 20 && !(await isMarked()); count += 1)
        await page.keyboard.press("ArrowDown");
      assert.equal(
        await field.getAttribute("aria-activedescendant"),
        await option.getAttribute("id"),
      );
      await page.keyboard.press("Enter");
    },
  };
};

export const HANDS = { mouse: byMouse, keyboard: byKeyboard };

/** Forwards, or backwards where that is shorter, as people do. */
async function reachByTab(page, target, isThere) {
  const isBehind = await target.evaluate((element) => {
    const { activeElement } = document;
    return (
      activeElement === document.body ||
      Boolean(activeElement.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING)
    );
  });
  const key = isBehind ? "Tab" : "Shift+Tab";
  for (let count = 0; count < MAX_TABS; count += 1) {
    await page.keyboard.press(key);
    if (await isThere()) return;
  }
  assert.fail(`${target} is not reached by ${MAX_TABS} times ${key}`);
}

/** WCAG 2.4.7 and 2.4.11: whoever has the focus shows it, and nothing covers it. */
async function expectVisibleFocus(target) {
  const seen = await target.evaluate((element) => {
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + Math.min(box.height / 2, 10)];
    const top = document.elementFromPoint(x, y);
    return {
      shows: style.outlineStyle !== "none" || style.boxShadow !== "none",
      covered: !(
        top &&
        (element.contains(top) || top.contains(element) || top.closest("label")?.contains(element))
      ),
      within: box.bottom > 0 && box.top < innerHeight,
      html: element.outerHTML.slice(0, 120),
    };
  });
  assert.ok(seen.shows, `the focus is not seen on ${seen.html}`);
  assert.ok(seen.within && !seen.covered, `what has the focus is covered: ${seen.html}`);
}
