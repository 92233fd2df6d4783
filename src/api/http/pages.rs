//! Pages for people, in English and Chinese: what happened, and what to do. They have no scripts
//! and load nothing.

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64ct::{Base64, Encoding};

use crate::api::http::message::{Inbound, Response, status};
use crate::domain::secret::sha256;
use crate::error::{Denied, Error, Limit, Refusal};

const STYLE: &str = "\
    body{font:1.05rem/1.5 system-ui,sans-serif;max-width:32rem;margin:12vh auto;padding:0 1.2rem;\
    color:#1d2733;background:#f6f7f9}\
    main{background:#fff;border:1px solid #d9dee5;border-radius:.6rem;padding:1.4rem 1.8rem}\
    h1{font-size:1.35rem}\
    label{display:block;margin:.9rem 0 .2rem}\
    input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem;border:1px solid #8794a5;\
    border-radius:.3rem}\
    button{font:inherit;margin:1.2rem 0 .4rem;padding:.5rem 1.4rem;color:#fff;background:#1c5fb0;\
    border:0;border-radius:.3rem}\
    small{color:#55606e}p[role=alert]{color:#a3211b}a{color:#1c5fb0}\
    @media(prefers-color-scheme:dark){\
    body{color:#e4e8ee;background:#15191f}\
    main{background:#1f252d;border-color:#39424e}\
    small{color:#a9b3c0}input{color:inherit;background:#15191f}p[role=alert]{color:#ff9d96}\
    a{color:#8ab8f2}}";

/// The content security policy: only the page's own style, by its digest, may load, and the form
/// can be sent to Postern only.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = Base64::encode_string(&sha256(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'")
});

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    Chinese,
}

impl Language {
    /// The language that the browser prefers of the two; English if it names neither.
    #[must_use]
    pub fn of(request: &dyn Inbound) -> Self {
        let header = request.header("accept-language").unwrap_or_default().replace(' ', "");
        let weight = |item: &str| {
            item.split_once(";q=").map_or(Some(1.0), |(_, q)| q.parse::<f32>().ok()).unwrap_or(0.0)
        };
        let best = |begin: &str| {
            let of_language =
                header.split(',').filter(|item| item.to_ascii_lowercase().starts_with(begin));
            of_language.map(weight).fold(0.0, f32::max)
        };
        if best("zh") > best("en") { Self::Chinese } else { Self::English }
    }

    fn choose(self, english: &'static str, chinese: &'static str) -> &'static str {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }

    fn code(self) -> &'static str {
        self.choose("en", "zh")
    }
}

/// A page that says why a request was refused, with a link to the sign-in. Other sites may show it
/// in a frame if they may show the application in one: following the link changes nothing.
#[must_use]
pub fn of_failure(
    language: Language,
    error: &Error,
    request_id: &str,
    sign_in: Option<&str>,
    in_frames: bool,
) -> Response {
    let (title, todo) = words(language, error);
    let reason = error.reason().map(|reason| format!(" · {}", escaped(reason))).unwrap_or_default();
    let number = language.choose("Request", "请求编号");
    let link = link_to_sign_in(language, sign_in);
    let body = format!(
        "<p>{}</p>{link}<p><small>{number} {}{reason}</small></p>",
        escaped(&todo),
        escaped(request_id)
    );
    let html = html(language, title, &body);
    if in_frames {
        page(status(error), html, POLICY.clone())
    } else {
        unframed(status(error), html)
    }
}

fn link_to_sign_in(language: Language, page: Option<&str>) -> String {
    let link = |page| {
        format!("<p><a href=\"{}\">{}</a></p>", escaped(page), language.choose("Sign in", "登录"))
    };
    page.map(link).unwrap_or_default()
}

/// The title, and what the reader can do.
fn words(language: Language, error: &Error) -> (&'static str, String) {
    let (title, todo) = match error {
        Error::Unauthenticated(Denied::Expired | Denied::Revoked) => (
            language.choose("Your sign-in has ended", "您的登录已结束"),
            language.choose(
                "Open the page again from the portal or the application that gave you its link, or \
                 sign in again.",
                "请从提供链接的门户或应用重新打开此页面，或重新登录。",
            ),
        ),
        Error::Unauthenticated(_) => (
            language.choose("This page needs a sign-in", "此页面需要登录"),
            language.choose(
                "Open the page from the portal or the application that gave you its link. If you \
                 did so, ask its administrator, and name the request below.",
                "请从提供链接的门户或应用打开此页面。如果仍有问题，请联系管理员，并提供下面的请求编号。",
            ),
        ),
        Error::Forbidden(Refusal::CrossOrigin) => (
            language.choose("This came from another site", "此请求来自其他网站"),
            language.choose(
                "A page of another site sent it. Open the page here, and send it again. If it was \
                 this page, the administrator sets PUBLIC_ORIGIN.",
                "此请求由其他网站的页面发出。请在本站打开页面后重新提交。如果确实来自本页，请管理员设置 PUBLIC_ORIGIN。",
            ),
        ),
        Error::Forbidden(_) => (
            language.choose("You may not open this page", "您无权打开此页面"),
            language.choose(
                "You are known here, and lack what this page needs. Ask the administrator for it, \
                 and name the request below.",
                "系统已识别您的身份，但您缺少此页面所需的权限。请联系管理员，并提供下面的请求编号。",
            ),
        ),
        Error::OriginFailed(_) | Error::OriginTimedOut { .. } => (
            language.choose("The application does not answer", "应用没有响应"),
            language.choose("Try again in a minute.", "请稍后重试。"),
        ),
        // Somebody who has just deployed opens the address with a browser, and reads here what is
        // still to be configured.
        Error::Misconfigured(problems) => {
            let begin = language.choose("Its administrator mends this first: ", "请管理员先解决：");
            let text = format!("{begin}{}", problems.join("; "));
            return (language.choose("Postern is not set up", "Postern 尚未配置完成"), text);
        }
        Error::Unavailable(_) | Error::Internal(_) => (
            language.choose("Your sign-in cannot be checked now", "暂时无法验证您的登录"),
            language.choose(
                "Try again in a minute. If it does not help, tell the administrator the request \
                 number below.",
                "请稍后重试。如果问题仍然存在，请向管理员提供下面的请求编号。",
            ),
        ),
        Error::NotFound { .. } => (
            language.choose("There is no such page", "页面不存在"),
            language.choose("Look at the address again.", "请检查地址。"),
        ),
        _ => (
            language.choose("The request cannot be answered", "无法处理此请求"),
            language.choose("Go back, and try it in another way.", "请返回后重试。"),
        ),
    };
    (title, todo.to_owned())
}

/// The sign-in page. `problem` is the reason why the last attempt failed.
#[must_use]
pub fn sign_in(
    language: Language,
    username: &str,
    return_to: &str,
    problem: Option<&Error>,
) -> Response {
    let mut body = String::new();
    if let Some(error) = problem {
        let _ = write!(body, "<p role=\"alert\">{}</p>", sign_in_problem(language, error));
    }
    let (name, password) =
        (language.choose("User name", "用户名"), language.choose("Password", "密码"));
    let button = language.choose("Sign in", "登录");
    let _ = write!(
        body,
        "<form method=\"post\" action=\"/v1/sign-in\"><input type=\"hidden\" name=\"return_to\" \
         value=\"{}\"><label for=\"username\">{name}</label><input id=\"username\" \
         name=\"username\" value=\"{}\" autocomplete=\"username\" required autofocus><label \
         for=\"password\">{password}</label><input id=\"password\" name=\"password\" \
         type=\"password\" autocomplete=\"current-password\" \
         required><button>{button}</button></form>",
        escaped(return_to),
        escaped(username),
    );
    // With `no-referrer` the browser would send the form with `Origin: null`, and the comparison of
    // origins would refuse it.
    unframed(problem.map_or(200, status), html(language, language.choose("Sign in", "登录"), &body))
        .with("referrer-policy", "same-origin")
}

fn sign_in_problem(language: Language, error: &Error) -> &'static str {
    match error {
        Error::Unauthenticated(_) => {
            language.choose("The user name or the password is wrong.", "用户名或密码错误。")
        }
        Error::Forbidden(_) => {
            language.choose("This user may not sign in here.", "此用户不能在此登录。")
        }
        Error::TooMany { limit: Limit::Hashing, .. } => language.choose(
            "Too many people sign in just now. Try again in some seconds.",
            "当前登录人数过多，请几秒后重试。",
        ),
        Error::TooMany { .. } => language.choose(
            "There were too many attempts. Try again in some minutes.",
            "尝试次数过多，请几分钟后重试。",
        ),
        _ => language.choose(
            "Signing in does not work now. Try again in a minute.",
            "暂时无法登录，请稍后重试。",
        ),
    }
}

/// The page after sign-out, with a link to sign in again.
#[must_use]
pub fn signed_out(language: Language, sign_in: Option<&str>) -> Response {
    let todo = language.choose("You can close this window.", "您可以关闭此窗口。");
    let body = format!("<p>{todo}</p>{}", link_to_sign_in(language, sign_in));
    unframed(200, html(language, language.choose("You are signed out", "您已退出登录"), &body))
}

fn html(language: Language, title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>",
        language.code(),
    )
}

/// A page that no other page may show in a frame.
fn unframed(status: u16, html: String) -> Response {
    page(status, html, format!("{}; frame-ancestors 'none'", *POLICY))
}

fn page(status: u16, html: String, policy: String) -> Response {
    Response::text(status, "text/html;charset=utf-8", html).with("content-security-policy", policy)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_is_text_on_a_page() {
        let page = sign_in(Language::English, "\"><script>x</script>", "/a?b=<i>'", None);
        assert!(!page.body.contains("<script>") && !page.body.contains("<i>"), "{}", page.body);
        assert!(page.body.contains("value=\"/a?b=&lt;i&gt;&#39;\""), "{}", page.body);
    }

    #[test]
    fn pages_are_in_both_languages_and_say_no_more_than_the_reason() {
        let error = Error::from(Refusal::UserDisabled);
        let english = of_failure(Language::English, &error, "id-1", None, false);
        assert_eq!(english.status, 403);
        assert!(
            english.body.contains("You may not open this page") && english.body.contains("id-1"),
            "{}",
            english.body
        );
        let foreign =
            of_failure(Language::English, &Error::from(Refusal::CrossOrigin), "id-1", None, false);
        assert!(
            foreign.status == 403 && foreign.body.contains("Open the page here"),
            "{}",
            foreign.body
        );
        assert!(
            of_failure(Language::Chinese, &error, "id-1", None, false)
                .body
                .contains("您无权打开此页面")
        );
    }
}
