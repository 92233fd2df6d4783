// Fills the page's table from the OpenAPI document.

const table = document.getElementById("operations");
const { paths } = await (await fetch("/v1/openapi.json")).json();
for (const [path, operations] of Object.entries(paths)) {
  for (const [method, { summary }] of Object.entries(operations)) {
    const row = table.insertRow();
    for (const text of [method.toUpperCase(), path]) {
      row.insertCell().appendChild(document.createElement("code")).textContent = text;
    }
    row.insertCell().textContent = summary;
  }
}
