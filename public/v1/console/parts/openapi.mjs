// What the API reference needs of an OpenAPI document: its operations, searched, their members in
// words, and lines for curl.

const METHODS = ["get", "post", "put", "patch", "delete"];

/** Operations that change nothing although they are no GET. */
const ONLY_ASK = [
  /^\/v1\/(verify|explain|rules\/test|check\/batch|introspect|forward-auth)/,
  /^\/access\/v1\//,
  /\/\.search$/,
];

/** Every operation of a document, in its order. */
export function operationsOf(document) {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) =>
      described(document, path, method, item[method]),
    ),
  );
}

function described(document, path, method, operation) {
  const {
    operationId,
    summary = "",
    description = "",
    tags = [],
    parameters = [],
    requestBody,
    responses,
    security,
  } = operation;
  const [[type, content] = []] = Object.entries(requestBody?.content ?? {});
  const changes = method !== "get" && !ONLY_ASK.some((pattern) => pattern.test(path));
  return {
    id: operationId,
    method: method.toUpperCase(),
    path,
    summary,
    description,
    tag: tags[0] ?? "",
    changes,
    parameters: parameters.map((one) => resolved(document, one)),
    body: type && { type, schema: content.schema, example: exampleOf(content) },
    answers: Object.entries(responses).map(([status, one]) => answerOf(document, status, one)),
    schemes: (security ?? document.security ?? []).map((one) => Object.keys(one)),
    searched: [method, path, summary, description, operationId].join(" ").toLowerCase(),
  };
}

function answerOf(document, status, reference) {
  const { description, content = {} } = resolved(document, reference);
  const [[type, shown] = []] = Object.entries(content);
  return { status, description, type, schema: shown?.schema, example: shown && exampleOf(shown) };
}

function exampleOf({ example, examples }) {
  const value = example ?? Object.values(examples ?? {})[0]?.value;
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/** What a reference leads to. */
export function resolved(document, value) {
  const reference = value?.$ref;
  if (reference === undefined) return value;
  return reference
    .slice(2)
    .split("/")
    .reduce((at, name) => at[name], document);
}

/** The operations that have all words of a text. */
export function search(operations, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return operations.filter(({ searched }) => words.every((word) => searched.includes(word)));
}

/** The type of a schema in a few words. */
export function typeOf(document, schema) {
  if (schema?.$ref) {
    const name = schema.$ref.split("/").at(-1);
    const { type, properties } = resolved(document, schema);
    return properties || type === undefined ? name : String(type);
  }
  if (schema?.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema?.anyOf ?? schema?.oneOf;
  if (choices) return [...new Set(choices.map((one) => typeOf(document, one)))].join(" | ");
  const types = [schema?.type ?? "any"].flat();
  const inWords = (type) => (type === "array" ? `${typeOf(document, schema.items)}[]` : type);
  return types.map(inWords).join(" | ");
}

/**
 * The members of a schema: `{ name, type, isRequired, description, limits }`; of a list, those of
 * its items.
 */
export function membersOf(document, schema) {
  const own = resolved(document, schema) ?? {};
  if (own.type === "array") return membersOf(document, own.items);
  const parts = (own.allOf ?? [own]).map((one) => resolved(document, one));
  return parts.flatMap(({ properties = {}, required = [] }) =>
    Object.entries(properties).map(([name, member]) => ({
      name,
      type: typeOf(document, member),
      isRequired: required.includes(name),
      description: member.description ?? resolved(document, member)?.description ?? "",
      limits: limitsOf(member),
    })),
  );
}

const LIMITS = ["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "default"];

/** The limits of a schema: `maxLength 64, …`. */
export const limitsOf = (schema) =>
  LIMITS.filter((name) => schema?.[name] !== undefined)
    .map((name) => `${name} ${schema[name]}`)
    .join(", ");

/** The path of an operation with values for its parameters; those that are empty are left out. */
export function addressOf({ path, parameters }, values) {
  const value = (name) => encodeURIComponent(values[name] || `{${name}}`);
  const filled = parameters
    .filter((one) => one.in === "path")
    .reduce((text, { name }) => text.replace(`{${name}}`, value(name)), path);
  const query = parameters
    .filter((one) => one.in === "query" && values[one.name])
    .map(({ name }) => `${encodeURIComponent(name)}=${encodeURIComponent(values[name])}`);
  return query.length > 0 ? `${filled}?${query.join("&")}` : filled;
}

/** A text as one word of a shell. */
export const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** How curl shows who asks, by the first way that an operation takes. */
function credentialOf({ schemes }) {
  const names = schemes.flat();
  if (names.length === 0) return [];
  if (names.includes("basic")) return ['-u "$USERNAME:$PASSWORD"'];
  if (names.includes("bearer")) return ['-H "Authorization: Bearer $TOKEN"'];
  if (names.includes("authToken")) return ['-H "X-Auth-Token: $TOKEN"'];
  return names
    .filter((name) => name.startsWith("application"))
    .map((name) => `-H "apim-${HEADERS[name]}"`);
}

const HEADERS = {
  applicationToken: "accesstoken: $ACCESS_TOKEN",
  applicationTimestamp: "timestamp: $TIMESTAMP",
  applicationSignature: "signature: $SIGNATURE",
};

/** The line for curl. */
export function curlOf(operation, origin, values, body) {
  const { method } = operation;
  const isPlain = method === "GET" || (method === "POST" && body);
  const parts = [
    "curl",
    ...(isPlain ? [] : [`-X ${method}`]),
    ...credentialOf(operation),
    ...(body ? [`-H ${quoted(`content-type: ${operation.body.type}`)}`] : []),
    quoted(origin + addressOf(operation, values)),
    ...(body ? [`--data-binary ${quoted(body)}`] : []),
  ];
  return parts.join(" ");
}
