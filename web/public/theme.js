// Sets the theme before the first paint, so that a dark page never flashes white.
(function () {
  var kept = "auto";
  try {
    kept = localStorage.getItem("mantine-color-scheme-value") || "auto";
  } catch {
    /* storage may be refused */
  }
  var dark = kept === "dark" || (kept !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
})();
