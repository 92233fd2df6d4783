// Values that clients.test.mjs passes to a program of calls.

declare const process: { env: Record<string, string | undefined> };

function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

export const postern = variable("POSTERN");
export const username = variable("USERNAME");
export const password = variable("PASSWORD");
/** A token that the app ERP has signed for alice. */
export const token = variable("TOKEN");

/** Prints that a call had the right answer, or throws. */
export function expect(call: string, holds: boolean, answer: unknown): void {
  if (!holds) throw new Error(`${call} answered ${JSON.stringify(answer)}`);
  console.log(`ok ${call}`);
}
