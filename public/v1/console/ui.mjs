// The parts of which pages are made.

export { useAction, useLoad, usePages } from "./ui/data.mjs";
export { Dialog, confirm } from "./ui/dialog.mjs";
export {
  CheckField,
  ChecksField,
  Field,
  MomentField,
  PeriodFields,
  SelectField,
} from "./ui/fields.mjs";
export { Form } from "./ui/form.mjs";
export { Empty, Loaded, Loading, Notice, ProblemNotice, Progress, say } from "./ui/notice.mjs";
export { Button, Facts, NotFound, Page, Section, Tabs } from "./ui/page.mjs";
export { Pager, Table } from "./ui/table.mjs";
export { Badge, Copy, Text, Time } from "./ui/text.mjs";
export { Combobox } from "./ui/combobox.mjs";
export { findById, findOf } from "./ui/search.mjs";
