// Sets the theme before anything is painted, so that a reload does not flash, and again when the
// system's theme or the choice changes.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const kept = () => {
    try {
      return JSON.parse(localStorage.getItem("postern.theme"));
    } catch {
      return null;
    }
  };
  let chosen = kept();
  const show = () => {
    const system = dark.matches ? "dark" : "light";
    const theme = chosen === "light" || chosen === "dark" ? chosen : system;
    document.documentElement.dataset.theme = theme;
  };
  dark.addEventListener("change", show);
  addEventListener("postern:theme", ({ detail }) => {
    chosen = detail;
    show();
  });
  show();
})();
