//! Users: lists, creates, changes and deletes them, and sets passwords.

use super::paging::{self, page};
use crate::actions::users::{self, Filter, Shown};
use crate::api::http::declare::{
    Change, Declared, Given, Integer, Line, Member, Request, answer, request,
};
use crate::api::http::members::{NewPassword, Roles, USER_TYPE};
use crate::api::http::message::Response;
use crate::api::http::route::{Access, Call, Group, Keys, Route, handler};
use crate::api::http::shape::{Answer, Field, Kind, Shape, optional, required};
use crate::context::Cx;
use crate::domain::identity::machine_key::May;
use crate::domain::identity::user::{Profile, UserId, UserType, Username};
use crate::domain::secret::Secret;
use crate::error::{Error, Result};

pub(super) const ID: Field = required("id", Kind::INT64, "the user's id");

const LIST_QUERY: &[Field] = &[
    optional("username", Kind::TEXT, "only the user of this name"),
    paging::SEARCH,
    paging::LIMIT,
    paging::CURSOR,
];

pub(super) const GROUP: Group = Group {
    parameters: &[ID],
    routes: &[
        Route::get("list_users", &["/v1/users"], handler!(list))
            .summary(
                "Lists users by ascending id; with `search` by name, those whose user name begins \
                 with it",
            )
            .access(Access::Administrator)
            .query(LIST_QUERY)
            .answers(Answer::json(200, &USERS)),
        Route::of("POST", "create_user", &["/v1/users"], handler!(create))
            .summary("Creates a user")
            .about(
                "Without a password the user can sign in by tokens only. If `id` is taken, the \
                 answer is 409; without `id`, one is chosen that no grant and no membership names. \
                 The name, and the id with it, may be a deleted user's; tokens issued before are \
                 then refused as `revoked`.",
            )
            .access(Access::Administrator)
            .body(&NewUser::SHAPE)
            .refuses(&[409])
            .answers(Answer::json(201, &User::SHAPE)),
        Route::get("get_user", &["/v1/users/{id}"], handler!(get))
            .summary("Shows a user, to administrators and to themselves")
            .access(Access::SignedIn)
            .keys(Keys::With(May::Administration))
            .answers(Answer::json(200, &User::SHAPE)),
        Route::of("PATCH", "update_user", &["/v1/users/{id}"], handler!(update))
            .summary("Changes members of a user; disabling a user ends their tokens at once")
            .about(
                "Members that are left out stay as they are. The last enabled administrator must \
                 remain one.",
            )
            .access(Access::Administrator)
            .body(&UserChange::SHAPE)
            .refuses(&[409])
            .answers(Answer::json(200, &User::SHAPE)),
        Route::of("DELETE", "delete_user", &["/v1/users/{id}"], handler!(delete))
            .summary("Deletes a user and ends their tokens")
            .about(
                "Their memberships and grants are deleted, too. No token can create a user of that \
                 name again until POST /v1/users or DELETE /v1/tombstones/{username} allows it. \
                 The last enabled administrator cannot be deleted.",
            )
            .access(Access::Administrator)
            .refuses(&[409]),
        Route::of("PUT", "set_password", &["/v1/users/{id}/password"], handler!(set_password))
            .summary(
                "Sets a user's password and ends their other tokens; users change their own by \
                 sending the current one",
            )
            .about("A user without a password cannot set the first one; an administrator can.")
            .access(Access::SignedIn)
            .keys(Keys::With(May::Administration))
            .body(&Password::SHAPE),
    ],
};

answer! {
    pub(super) struct User<'a> as "User" {
        "id" id: i64 => "the user's id",
        "username" username: &'a str => "the user name",
        "name" name: Option<&'a str> => "a name for people",
        "email" email: Option<&'a str> => "an email address",
        "phone" phone: Option<&'a str> => "a telephone number",
        "type" kind: &'static str as USER_TYPE => "the user type",
        "roles" roles: &'a [String] => "roles",
        "enabled" enabled: bool => "whether the user is enabled; a disabled user is always refused",
        "hasPassword" has_password: bool => "whether the user has a password",
        "tokenApp" token_app: Option<&'a str> =>
            "the token app that the user belongs to: the one that created them, or that was set",
        "grantsNamingId" grants_naming_id: i64 =>
            "how many grants name this id, counted up to 100; a grant may be older than the user",
        "createdAt" created_at: i64 as Kind::TIME => "epoch milliseconds",
        "modifiedAt" modified_at: i64 as Kind::TIME => "epoch milliseconds",
    } example r#"{
        "id":2,"username":"alice","name":"Alice","email":"alice@example.com","phone":null,
        "type":"SYS_Reader","roles":["SYS_Reader"],"enabled":true,"hasPassword":true,
        "tokenApp":null,"grantsNamingId":0,"createdAt":1737599864898,"modifiedAt":1737599864898
    }"#
}

const USERS: Shape = page!("Users", User<'_>, "by ascending id");

impl<'a> User<'a> {
    fn of(shown: &'a Shown) -> Self {
        let Shown { user, grants_naming_id } = shown;
        let Profile { user_type, roles, name, email, phone, enabled, token_app } = &user.profile;
        Self {
            id: user.id.0,
            username: user.username.as_str(),
            name: name.as_deref(),
            email: email.as_deref(),
            phone: phone.as_deref(),
            kind: user_type.name(),
            roles,
            enabled: *enabled,
            has_password: user.has_password,
            token_app: token_app.as_deref(),
            grants_naming_id: *grants_naming_id,
            created_at: user.created_at.0,
            modified_at: user.modified_at.0,
        }
    }
}

request! {
    struct NewUser as "NewUser" {
        "id" id: Option<Integer<1, { i64::MAX }>> =>
            "an id of your choice; default: one that Postern chooses",
        "username" username: Username =>
            "case-sensitive and unique; in Unicode normal form C, without invisible, unassigned or \
             full-width characters, not beginning with [; with a password, also without a colon",
        "password" password: Option<NewPassword> =>
            "without a password the user can sign in by tokens only",
        "type" user_type: Option<UserType> => "default SYS_Reader",
        "roles" roles: Option<Roles> => "default: the type",
        "name" name: Change<Line<{ Profile::MAX_TEXT }>> => "a name for people",
        "email" email: Change<Line<{ Profile::MAX_TEXT }>> => "an email address",
        "phone" phone: Change<Line<{ Profile::MAX_TEXT }>> => "a telephone number",
        "enabled" enabled: Option<bool> => "default true",
    } example r#"{
        "username":"alice","name":"Alice","email":"alice@example.com","type":"SYS_Reader",
        "password":"correct horse"
    }"#
}

impl NewUser {
    fn profile(self) -> (Option<UserId>, Username, Profile, Option<Secret>) {
        let Self { id, username, password, user_type, roles, name, email, phone, enabled } = self;
        let mut profile = Profile::of_type(user_type.unwrap_or(UserType::Reader));
        let (user_type, roles, enabled) = (Given(user_type), Given(roles), Given(enabled));
        UserChange { user_type, roles, name, email, phone, enabled, token_app: Change::Stays }
            .apply(&mut profile);
        (
            id.map(|Integer(id)| UserId(id)),
            username,
            profile,
            password.map(|NewPassword(secret)| secret),
        )
    }
}

request! {
    struct UserChange as "UserChange" {
        "type" user_type: Given<UserType> => "the user type",
        "roles" roles: Given<Roles> => "replaces all roles",
        "name" name: Change<Line<{ Profile::MAX_TEXT }>> => "null removes it",
        "email" email: Change<Line<{ Profile::MAX_TEXT }>> => "null removes it",
        "phone" phone: Change<Line<{ Profile::MAX_TEXT }>> => "null removes it",
        "enabled" enabled: Given<bool> =>
            "whether the user is enabled; a disabled user is always refused",
        "tokenApp" token_app: Change<Line<64>> =>
            "the token app that the user belongs to; null for none",
    } example r#"{"enabled":false}"#
}

impl UserChange {
    fn apply(self, profile: &mut Profile) {
        let Self { user_type, roles, name, email, phone, enabled, token_app } = self;
        token_app.map(|Line(name)| name).apply(&mut profile.token_app);
        let line = |change: Change<Line<{ Profile::MAX_TEXT }>>| change.map(|Line(text)| text);
        line(name).apply(&mut profile.name);
        line(email).apply(&mut profile.email);
        line(phone).apply(&mut profile.phone);
        let before = profile.user_type;
        profile.user_type = user_type.0.unwrap_or(before);
        profile.enabled = enabled.0.unwrap_or(profile.enabled);
        if let Some(Roles(roles)) = roles.0 {
            profile.roles = roles;
            return;
        }
        // A role that names the old type is renamed, because whoever reads the roles must see the
        // change.
        let renamed = profile.roles.iter_mut().filter(|role| *role == before.name());
        renamed.for_each(|role| profile.user_type.name().clone_into(role));
    }
}

request! {
    struct Password as "Password" {
        "password" password: Secret as <NewPassword as Member>::KIND => "the new password",
        "currentPassword" current: Option<Secret> => "required to change your own password",
    } example r#"{"password":"correct horse","currentPassword":"wrong horse"}"#
}

async fn list(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (limit, after_id) = paging::asked(call)?;
    let username = call.query.one("username")?.map(str::to_owned);
    let beginning = paging::search(call)?.map(str::to_owned);
    if beginning.is_some() && username.is_some() {
        return Err(Error::invalid(
            "search",
            "must not be there beside username, which is one user's whole name",
        ));
    }
    // One more than asked for, to see whether there is a next page.
    let found =
        users::list(cx, &Filter { username, beginning, after_id, limit: limit + 1 }).await?;
    Ok(paging::answer(&found, limit, User::of, |shown| shown.user.id.0))
}

async fn create(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let (id, username, profile, password) =
        NewUser::read(&call.labelled_fields().await?)?.profile();
    if password.is_some() {
        username.can_be_in_basic().map_err(|why| Error::invalid("username", why))?;
    }
    let user =
        users::create(cx, call.caller()?, id, &username, &profile, password.as_ref()).await?;
    Ok(Response::json(201, &User::of(&user))
        .with("location", format!("/v1/users/{}", user.user.id.0)))
}

async fn get(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    Ok(Response::json(200, &User::of(&users::show(cx, call.caller()?, id(call)?).await?)))
}

async fn update(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let change = UserChange::read(&call.labelled_fields().await?)?;
    let user =
        users::update(cx, call.caller()?, id(call)?, |profile| change.apply(profile)).await?;
    Ok(Response::json(200, &User::of(&user)))
}

async fn delete(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    users::delete(cx, call.caller()?, id(call)?).await?;
    Ok(Response::empty(204))
}

async fn set_password(cx: &Cx, call: &Call<'_>) -> Result<Response> {
    let Password { password, current } = Password::read(&call.labelled_fields().await?)?;
    users::set_password(cx, call.caller()?, id(call)?, &password, current.as_ref()).await?;
    Ok(Response::empty(204))
}

fn id(call: &Call<'_>) -> Result<UserId> {
    call.int64(ID.name).map(UserId)
}
