//! No spelling of a path avoids a rule: 100,000 spellings, compared with models of how servers read
//! a path. `tests/all/spellings.test.mjs` sends some of them to real servers.

use std::collections::BTreeSet;

use postern::domain::origin::{Demand, Prefix, Rules, read_rules};
use serde_json::json;

const BASE: &str = "/base";
const SPELLINGS: usize = 100_000;
/// How many spellings are kept in a file for the real servers.
const KEPT: usize = 3000;

fn table() -> Rules {
    let rules = json!([{ "path": "/reports", "service": 7, "permission": "VIEW" }]);
    Rules {
        public: vec![Prefix::parse("/static").expect("a prefix")],
        rules: read_rules(rules.as_array().expect("a list")).expect("rules"),
    }
}

/// Pseudo-random numbers, the same in each run (`SplitMix64`).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("it is below the bound")
    }

    pub fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

pub const SLASHES: [&str; 12] =
    ["/", "/", "/", "/", "//", "/./", "%2f", "%252F", "%5c", "\\", "%c0%af", "%25252f"];
const DOTS: [&str; 13] = [
    "..",
    "%2e%2e",
    ".%2E",
    "%252e%252e",
    "..;",
    "..;x=1",
    ".. ",
    "..%20",
    "...",
    "..%c0%ae",
    "%c0%ae%c0%ae",
    "..::$INDEX_ALLOCATION",
    "%25252e.",
];
const SUFFIXES: [&str; 26] = [
    "",
    "",
    "",
    "",
    "",
    ".json",
    ".",
    "%20",
    "%20.",
    "::$DATA",
    ":x",
    "%3fx",
    "%253fx",
    "%23x",
    "%2523",
    ";v=1",
    "%3bx",
    "%00",
    "%2500.html",
    "..",
    "%2e",
    "?",
    ".%20./",
    "/.",
    "/",
    "::$INDEX_ALLOCATION/",
];
const PLAIN: [&str; 7] = ["static", "x", "base", "Static", "a.b", "static;v=1", "x%3by"];

/// One or more spellings of a letter that some server may decode as the letter.
pub fn letter(numbers: &mut Numbers, letter: char) -> String {
    let code = u32::from(letter);
    match numbers.below(24) {
        0 => format!("%{code:02x}"),
        1 => format!("%25{code:02X}"),
        2 => format!("%2525{code:02x}"),
        3 => format!("%u00{code:02x}"),
        4 => letter.to_ascii_uppercase().to_string(),
        5 => format!("%{:02x}%{:02x}", 0xc0 | code >> 6, 0x80 | code & 0x3f),
        6 => format!("%ef%bd%{:02x}", code - 0x61 + 0x81),
        7 => format!("%e2%80%8d{letter}"),
        _ => letter.to_string(),
    }
}

fn name(numbers: &mut Numbers) -> String {
    match numbers.below(5) {
        0 => numbers.one(&PLAIN).to_owned(),
        1 => numbers.one(&DOTS).to_owned(),
        2 => "reports".to_owned(),
        3 => "reports".chars().map(|c| letter(numbers, c)).collect(),
        _ => {
            let at = numbers.below(7);
            "reports"
                .char_indices()
                .map(|(index, c)| if index == at { letter(numbers, c) } else { c.to_string() })
                .collect()
        }
    }
}

fn spelling(numbers: &mut Numbers) -> String {
    let mut path = String::from("/");
    let count = 1 + numbers.below(4);
    for index in 0..count {
        if index > 0 {
            path += numbers.one(&SLASHES);
        }
        path += &name(numbers);
        path += numbers.one(&SUFFIXES);
    }
    // Servers read a path up to its question mark, and clients send no raw space.
    path.split(['?', '#']).next().expect("a part").replace(' ', "%20")
}

/// Reads a path as a server does: the segments of what it opens; `None` if it refuses the path.
pub type Model = fn(&str) -> Option<Vec<String>>;

/// The servers that are modelled.
pub const MODELS: [(&str, Model); 8] = [
    ("nginx", nginx),
    ("httpd", httpd),
    ("httpd with AllowEncodedSlashes", httpd_with_slashes),
    ("Tomcat", tomcat),
    ("Tomcat with encoded slashes", tomcat_with_slashes),
    ("IIS", iis),
    ("Rails", rails),
    ("a server that decodes twice", twice),
];

fn decode(text: &str) -> String {
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(text).collect();
    bytes.into_iter().map(char::from).collect()
}

/// Reads Latin-1 characters as the bytes of UTF-8.
fn utf8(text: &str) -> String {
    let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn has_broken_escape(path: &str) -> bool {
    path.split('%').skip(1).any(|rest| {
        !rest.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    })
}

fn resolve(path: &str) -> Option<Vec<String>> {
    let mut stack = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(stack.pop()?),
            other => stack.push(other.to_owned()),
        }
    }
    Some(stack)
}

/// `ngx_http_parse_complex_uri`: decodes once, merges slashes, and resolves dots after decoding. A
/// decoded `?` or `#` stays part of the name. A NUL is refused.
fn nginx(path: &str) -> Option<Vec<String>> {
    let decoded = decode(path);
    if has_broken_escape(path) || decoded.contains('\0') { None } else { resolve(&decoded) }
}

/// `ap_unescape_url` and `ap_normalize_path`: an encoded slash is a 404, a broken escape is a 400.
fn httpd(path: &str) -> Option<Vec<String>> {
    if path.to_ascii_lowercase().contains("%2f") { None } else { httpd_with_slashes(path) }
}

/// `AllowEncodedSlashes On`: unreserved characters are decoded before dots are resolved, slashes
/// afterwards. `mod_dir` and the file system then get the decoded name.
fn httpd_with_slashes(path: &str) -> Option<Vec<String>> {
    let decoded = decode(path);
    if has_broken_escape(path) || decoded.contains('\0') { None } else { resolve(&decoded) }
}

/// `CoyoteAdapter`: removes parameters from each segment of the raw path, decodes once, refuses an
/// encoded slash or a backslash, then normalizes.
fn tomcat(path: &str) -> Option<Vec<String>> {
    let lower = path.to_ascii_lowercase();
    if lower.contains("%2f") || lower.contains("%5c") || lower.contains('\\') {
        None
    } else {
        tomcat_with_slashes(path)
    }
}

/// `encodedSolidusHandling="decode"` and `ALLOW_BACKSLASH`, which older releases could be set to.
fn tomcat_with_slashes(path: &str) -> Option<Vec<String>> {
    let cut: Vec<_> =
        path.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
    let decoded = decode(&cut.join("/"));
    if has_broken_escape(path) || decoded.contains('\0') {
        None
    } else {
        resolve(&decoded.replace('\\', "/"))
    }
}

/// `http.sys` decodes once; its old releases also decode `%u` and overlong forms. NTFS ignores the
/// case of names, streams, and dots and spaces at the end ("Naming Files, Paths, and Namespaces").
/// Code pages read full-width letters as plain ones ("best fit").
fn iis(path: &str) -> Option<Vec<String>> {
    let mut text = path.to_owned();
    while let Some(at) = text.find("%u") {
        let code = u32::from_str_radix(text.get(at + 2..at + 6)?, 16).ok()?;
        text.replace_range(at..at + 6, &char::from_u32(code)?.to_string());
    }
    let mut decoded = decode(&text);
    for code in 0x21..0x7f_u32 {
        let overlong: String = [0xc0 | code >> 6, 0x80 | code & 0x3f]
            .iter()
            .filter_map(|byte| char::from_u32(*byte))
            .collect();
        let plain = char::from_u32(code)?.to_string();
        decoded = decoded.replace(&overlong, &plain);
    }
    let wide = |c: char| match u32::from(c) {
        code @ 0xff01..=0xff5e => char::from_u32(code - 0xfee0).unwrap_or(c),
        _ => c,
    };
    let text: String = utf8(&decoded).chars().map(wide).collect();
    if text.contains('\0') {
        return None;
    }
    let names = text.split(['/', '\\']).map(|segment| {
        let name = segment.split(':').next().unwrap_or_default();
        let trimmed = name.trim_end_matches(['.', ' ']);
        if trimmed.is_empty() && name.starts_with("..") { ".." } else { trimmed }
    });
    Some(
        resolve(&names.collect::<Vec<_>>().join("/"))?
            .iter()
            .map(|name| name.to_lowercase())
            .collect(),
    )
}

/// Action Dispatch's journey router splits at slashes, decodes each part, and reads what follows
/// the last dot as the format. Rack reads `;` as part of the name.
fn rails(path: &str) -> Option<Vec<String>> {
    let parts = path.split('/').filter(|part| !part.is_empty()).map(|part| utf8(&decode(part)));
    let mut parts: Vec<_> = parts.collect();
    let last = parts.pop()?;
    let name = last.rsplit_once('.').map_or("", |(name, _)| name);
    parts.push(if name.is_empty() { last } else { name.to_owned() });
    Some(parts)
}

/// A proxy decodes the path and forwards the decoded one to a server that decodes again. There, a
/// decoded `?` or `#` ends the path.
fn twice(path: &str) -> Option<Vec<String>> {
    let once = decode(path);
    let once = once.split(['?', '#']).next().unwrap_or_default();
    if once.contains('\0') {
        return None;
    }
    let again = decode(once);
    let end = again.split(['?', '#']).next().unwrap_or_default();
    resolve(&end.replace('\\', "/"))
}

/// The path that the gateway sends to the origin without asking for the grant; `None` if it asks
/// for the grant, or refuses the path.
fn passed(table: &Rules, path: &str) -> Option<String> {
    match table.demand("GET", "", path).map(|matched| matched.demand) {
        Ok(Demand::Rules(list)) if !list.is_empty() => None,
        Ok(Demand::Rules(_) | Demand::Nothing) => Some(format!(
            "{BASE}{}",
            postern::domain::path_readings::as_sent(path).expect("it was decided about")
        )),
        Ok(Demand::Methods(_)) | Err(_) => None,
    }
}

fn is_forbidden(segments: &[String]) -> bool {
    segments.first().is_none_or(|first| first != "base")
        || segments.get(1).is_some_and(|second| second == "reports")
}

pub fn spellings() -> impl Iterator<Item = String> {
    let mut numbers = Numbers(20_260_426);
    std::iter::repeat_with(move || spelling(&mut numbers))
}

#[test]
fn no_spelling_is_read_as_what_a_rule_forbids_or_leaves_the_base() {
    let table = table();
    let (mut went_on, mut dangerous) = (0, 0);
    for path in spellings().take(SPELLINGS) {
        let read = |path: &str| MODELS.map(|(name, model)| (name, model(path)));
        let forbidden = |(_, segments): &(&str, Option<Vec<String>>)| {
            segments.as_deref().is_some_and(is_forbidden)
        };
        dangerous += usize::from(read(&format!("{BASE}{path}")).iter().any(forbidden));
        let Some(sent) = passed(&table, &path) else { continue };
        went_on += 1;
        let found = read(&sent).into_iter().find(forbidden);
        assert_eq!(found, None, "{path} goes on as {sent}");
    }
    println!(
        "of {SPELLINGS} spellings {dangerous} are read by some server as what is forbidden, and \
         {went_on} went on"
    );
    // If few spellings were dangerous, the test would prove nothing.
    assert!(dangerous > SPELLINGS / 4 && went_on > SPELLINGS / 20, "{dangerous} {went_on}");
}

#[test]
fn the_models_find_the_fault_of_a_gate_that_compares_raw_paths() {
    let naive = |path: &str| !path.starts_with("/reports");
    for (name, model) in MODELS {
        let found = spellings().take(SPELLINGS).find(|path| {
            naive(path) && model(&format!("{BASE}{path}")).is_some_and(|read| is_forbidden(&read))
        });
        assert!(found.is_some(), "{name} reads nothing in another way");
    }
}

#[test]
fn the_spellings_for_real_servers_are_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/support/spellings.txt");
    // Most of the kept spellings are dangerous for one of these servers, against which `tests/all`
    // runs.
    let servers = [nginx, httpd_with_slashes, tomcat, tomcat_with_slashes];
    let is_dangerous = |path: &String| {
        servers
            .iter()
            .any(|read| read(&format!("{BASE}{path}")).is_some_and(|read| is_forbidden(&read)))
    };
    let (dangerous, others): (Vec<_>, Vec<_>) = spellings().take(SPELLINGS).partition(is_dangerous);
    let some = |paths: Vec<String>, count| {
        let mut seen = BTreeSet::new();
        paths.into_iter().filter(|path| seen.insert(path.clone())).take(count).collect::<Vec<_>>()
    };
    let kept: Vec<_> =
        some(dangerous, KEPT * 4 / 5).into_iter().chain(some(others, KEPT / 5)).collect();
    assert_eq!(kept.len(), KEPT);
    let text = kept.join("\n") + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &text).expect("the file can be written");
    }
    assert!(
        std::fs::read_to_string(path).unwrap_or_default() == text,
        "{path} is out of date: run UPDATE=1 cargo test --test host spellings"
    );
}
