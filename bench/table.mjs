// Figures and tables as RESULTS.md has them.

export const figure = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

export function markdown(head, lines) {
  return [head, head.map(() => "---"), ...lines]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}
