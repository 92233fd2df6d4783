// Rules of the API that callers break often, as texts of the console.

/** What the API says of a broken rule, and the key of the text: `rule.<key>`. */
const RULES = [
  [/ (?:is required|must be there)$/, "required"],
  [/ must not be there twice$/, "twice"],
  [/^there is an? .+ already$/, "exists"],
  [/^there is no /, "notThere"],
  [/ must be a whole number from (?<min>-?\d+) to (?<max>-?\d+)$/, "number"],
  [/ must be (?:a whole number|an int64)/, "whole"],
  [/ must have (?<min>\d+) to (?<max>\d+) characters/, "length"],
  [/ must have at least (?<n>\d+) characters/, "tooShort"],
  [/ must have at least (?<n>\d+) bytes/, "tooShortBytes"],
  [/ must have at most (?<n>\d+) characters/, "tooLong"],
  [/ must have at most (?<n>\d+) bytes/, "tooLongBytes"],
  [/ must have at most (?<n>\d+) (?:items|members)/, "items"],
  [/ must be in the future/, "past"],
  [/ must be later than startsAt/, "endBeforeStart"],
  [/ must be (?:readable JSON|a JSON object)/, "json"],
  [/ must be an https:\/\/ URL$/, "https"],
  [/ must be one of (?<words>[^:]+)$/, "words"],
  [/ must not have .*(?:character|U\+)/, "characters"],
];

/**
 * The text for what the API says, as `{key, values}`; null for what is no common rule.
 * @param {string | undefined} detail
 */
export function ruleOf(detail) {
  for (const [pattern, key] of RULES) {
    const found = pattern.exec(detail ?? "");
    if (found) return { key: `rule.${key}`, values: { ...found.groups } };
  }
  return null;
}
