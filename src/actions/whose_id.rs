//! Explains to administrators who has an id that they want to give to a user.

use crate::context::Cx;
use crate::domain::identity::user::{UserId, Username};
use crate::error::Result;
use crate::store::{new_users, tombstones, users};

/// Who has the id, or had it and still blocks it; `None` if a user may get it.
pub async fn sentence(cx: &Cx, id: UserId) -> Result<Option<String>> {
    let UserId(number) = id;
    if let Some(user) = users::find(cx, id).await? {
        return Ok(Some(format!("the id {number} belongs to the user {}", user.username.as_str())));
    }
    if !tombstones::is_past(cx, id).await? {
        return Ok(None);
    }
    Ok(Some(match tombstones::of_id(cx, id).await? {
        Some(tombstone) => format!(
            "the id {number} belonged to {}, who was deleted: name another, \
             or free it by DELETE /v1/tombstones/{{username}}",
            tombstone.username
        ),
        None => format!(
            "the id {number} belonged to a user who was deleted: name another, or {}",
            to_free(number)
        ),
    }))
}

/// As [`sentence`], for the user of a token. A freed id may also be kept for the freed name.
pub async fn why_not_by_token(cx: &Cx, id: UserId, username: &Username) -> Result<Option<String>> {
    if let Some(whose) = sentence(cx, id).await? {
        return Ok(Some(whose));
    }
    Ok((!new_users::may_give_freed_id(cx, id, username).await?).then(|| {
        format!(
            "the id {} belonged to a user of another name, who was deleted: \
             an administrator may give it by POST /v1/users",
            id.0
        )
    }))
}

/// How to free the id of a deleted user, if the user's name has no tombstone, or one with another
/// id.
#[must_use]
pub fn to_free(id: i64) -> String {
    format!(
        "free it by POST /v1/import \
         {{\"record\":\"pastId\",\"kind\":\"user\",\"id\":{id},\"freed\":true}}, \
         after that, whoever gets the id also gets what still refers to it"
    )
}
