// What a deployment costs a month by the published prices: the table of docs/design/scale.md.
// Usage: node bench/prices.mjs
//
// The queries of D1 are those of bench/RESULTS.md ("make model"), the rows those of `make scale`.

const MONTH_S = 30 * 24 * 3600;

/** Workers Paid, in dollars: what is included a month, and the price of a million beyond. */
const PRICES = {
  requests: { included: 10e6, million: 0.3 },
  cpuMs: { included: 30e6, million: 0.02 },
  rowsRead: { included: 25e9, million: 0.001 },
  rowsWritten: { included: 50e6, million: 1 },
  kvWrites: { included: 1e6, million: 5 },
};
const SUBSCRIPTION = 5;

/** What a reading of the change feed reads, with the apps and the user of the request. */
const ROWS_A_QUERY = 30;
/** A change, its entries in the feed and in the audit trail, and those in indexes. */
const ROWS_A_CHANGE = 15;

/**
 * Requests a second, changes by administrators a second, and D1's queries a second: with the shared
 * cache (step c), with STALENESS_S=60 as well (d), and on workers.dev, where nothing is shared (b).
 */
const LOADS = [
  { requests: 1, changes: 1 / 600, queries: { c: 0.8, d: 0.4, b: 0.82 } },
  { requests: 100, changes: 1 / 60, queries: { c: 17, d: 3.7, b: 38 } },
  { requests: 10_000, changes: 1 / 10, queries: { c: 82, d: 12, b: 690 } },
];

const STEPS = { c: "shared, 10 s", d: "shared, 60 s", b: "workers.dev, 10 s" };
/**
 * CPU of a request: what is measured here with room for a slower machine, and a whole millisecond.
 */
const CPU_MS = [0.1, 1];

const beyond = (kind, amount) =>
  (Math.max(0, amount - PRICES[kind].included) / 1e6) * PRICES[kind].million;
const dollars = (amount) =>
  amount === 0 ? "0" : amount < 100 ? amount.toFixed(2) : String(Math.round(amount));
const million = (amount) => `${Number((amount / 1e6).toPrecision(3))} M`;

function row({ requests, changes, queries }, step) {
  const month = requests * MONTH_S;
  const read = queries[step] * ROWS_A_QUERY * MONTH_S;
  const written = changes * ROWS_A_CHANGE * MONTH_S;
  // One write every five minutes at most.
  const kvWrites = MONTH_S / 300;
  const fixed =
    beyond("requests", month) +
    beyond("rowsRead", read) +
    beyond("rowsWritten", written) +
    beyond("kvWrites", kvWrites);
  const totals = CPU_MS.map((ms) => dollars(SUBSCRIPTION + fixed + beyond("cpuMs", month * ms)));
  const cpu = CPU_MS.map((ms) => dollars(beyond("cpuMs", month * ms)));
  return [
    ...[requests, STEPS[step], million(month), dollars(beyond("requests", month)), cpu.join(" / ")],
    ...[million(read), dollars(beyond("rowsRead", read)), million(written), totals.join(" / ")],
  ];
}

export function table() {
  const head = [
    "requests/s",
    "where",
    "requests a month",
    "$ of them",
    "$ of CPU",
    "rows read a month",
    "$ of them",
    "rows written",
    "$ in all",
  ];
  const rows = LOADS.flatMap((load) => Object.keys(STEPS).map((step) => row(load, step)));
  return [head, head.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |\n`)
    .join("");
}

if (process.argv[1] === import.meta.filename) process.stdout.write(table());
