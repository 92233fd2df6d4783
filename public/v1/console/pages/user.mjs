// A user: who they are, what they may and where from, their tokens, and disconnecting them.

import { api } from "../api.mjs";
import { t } from "../i18n.mjs";
import { html, useEffect, useState } from "../lib.mjs";
import { Disconnect } from "../parts/disconnect.mjs";
import { deleteUser } from "../parts/delete_user.mjs";
import { UserAccess } from "../parts/user_access.mjs";
import { UserBadges } from "../parts/user_badges.mjs";
import { UserGroups } from "../parts/user_groups.mjs";
import { UserProfile } from "../parts/user_profile.mjs";
import { UserTokens } from "../parts/user_tokens.mjs";
import { go, path, place } from "../router.mjs";
import { Button, Loaded, NotFound, Page, Tabs, Text, say, useLoad } from "../ui.mjs";

const TABS = {
  profile: UserProfile,
  access: UserAccess,
  groups: UserGroups,
  tokens: UserTokens,
};

export default function User({ params: { id, tab = "profile" }, query }) {
  const user = useLoad((signal) => api.get(path`/v1/users/${id}`, {}, { signal }), [id]);
  const [changed, setChanged] = useState(0);
  const [asking, setAsking] = useState(false);
  useEffect(() => {
    if (query.do === "disconnect") setAsking(true);
  }, [query.do]);
  const Part = TABS[tab];
  if (!Part) return html`<${NotFound} />`;

  const closed = (text) => {
    setAsking(false);
    // A reload must not ask again.
    if (query.do) go(place.get().path, {}, { replace: true });
    if (!text) return;
    say(text);
    user.reload();
    setChanged((times) => times + 1);
  };
  const at = path`/users/${id}`;
  const tabs = Object.keys(TABS).map((one) => ({
    to: one === "profile" ? at : `${at}/${one}`,
    text: t(`user.tab.${one}`),
  }));
  const current = tab === "profile" ? at : `${at}/${tab}`;
  const name = user.data?.username ?? `${t("kind.user")} ${id}`;
  const intro = user.data && html`<${Intro} user=${user.data} />`;
  const actions =
    user.data &&
    html`
    <${Button} kind="danger" onClick=${() => setAsking(true)}>${t("disconnect.verb")}<//>
    <${Button} kind="danger outline" onClick=${() => deleteUser(user.data)}>
      ${t("common.delete")}
    <//>
  `;
  return html`
    <${Page}
      title=${html`<${Text} value=${name} />`}
      name=${name}
      back=${{ to: "/users", text: t("users.title") }}
      intro=${intro}
      actions=${actions}
    >
    <${Tabs} label=${t("user.title")} tabs=${tabs} current=${current} />
    <${Loaded} of=${user}>
      ${(data) => html`
        <${Part} key=${data.modifiedAt} user=${data} onChange=${user.set} changed=${changed} />
      `}
    <//>
    ${asking && user.data && html`<${Disconnect} user=${user.data} onClose=${closed} />`}
  <//>`;
}

const Intro = ({ user }) => html`
  <${UserBadges} user=${user} />
  ${user.name && html` <${Text} value=${user.name} /> ·`}
  ${` ${t("common.id")} ${user.id}`}
`;
