// An application whose users are Postern's.

import { Hono } from "hono";
import { permission, signedIn, type Postern } from "./postern";

const app = new Hono<Postern>();

app.get("/", (c) => c.text("Everybody may read this."));

// The token comes in `Authorization: Bearer`, or in the cookie of this name.
app.use("/me", signedIn({ cookie: "app_token" }));
app.all("/me", (c) => c.json(c.var.user));

// The service 1, for which Postern has grants.
app.get("/reports", signedIn(), permission(1, "VIEW"), (c) =>
  c.text(`Reports for ${c.var.user.username}`),
);
app.get(
  "/services/:id",
  signedIn(),
  permission((c) => c.req.param("id") ?? "", "VIEW"),
  (c) => c.text(`The service ${c.req.param("id")}`),
);

export default app;
