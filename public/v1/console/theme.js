// Sets the theme before anything is painted, so that a reload does not flash.
(() => {
  const kept = (name) => {
    try {
      return JSON.parse(localStorage.getItem(`postern.${name}`));
    } catch {
      return null;
    }
  };
  const theme = kept("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
