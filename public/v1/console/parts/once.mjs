// A secret that is shown once: it is in no draft, in no storage and in no address.

import { t } from "../i18n.mjs";
import { html } from "../lib.mjs";
import { Button, Copy, Dialog } from "../ui.mjs";

/** @param {{title: string, label: string, value: string, help?: any, onClose: () => void}} props */
export const Once = ({ title, label, value, help, onClose }) => html`
  <${Dialog} title=${title} onClose=${onClose}>
  <p>${t("once.text")}</p>
  <p class="secret-once"><${Copy} value=${value} label=${label} /></p>
  ${help && html`<p>${help}</p>`}
  <footer class="form-end"><${Button} onClick=${onClose}>${t("once.stored")}<//></footer>
<//>`;
