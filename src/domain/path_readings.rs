//! All ways in which a server may read a path.
//!
//! Servers differ. Some decode escapes twice. Some treat `%2f` as a slash and some do not. Some cut
//! `;v=1` out of a segment. Windows drops dots and spaces at the end of a segment. `all` applies
//! each such step to the path, and again to each result, until nothing new appears. A path that
//! climbs above its root in one reading is an error, because it would leave the origin's base path.

/// The greatest number of readings. An ordinary path has one to ten.
const MAX_READINGS: usize = 128;
/// The greatest size of all readings of one path together.
const MAX_BYTES: usize = 256 * 1024;

type Step = fn(&[u8]) -> Vec<u8>;

const STEPS: [Step; 9] = [
    decoded,
    decoded_but_slashes,
    folded,
    with_slashes,
    without_parameters,
    as_on_windows,
    |text| before(text, b'?'),
    |text| before(text, b'#'),
    |text| resolved(text).unwrap_or_default(),
];

/// All readings, with the path itself first. The error is a phrase to put after "url".
pub fn all(path: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut readings = vec![path.as_bytes().to_vec()];
    let (mut next, mut bytes) = (0, path.len());
    while let Some(reading) = readings.get(next).cloned() {
        refuse(&reading)?;
        for step in STEPS {
            let new = step(&reading);
            if !readings.contains(&new) {
                bytes += new.len();
                readings.push(new);
            }
        }
        if readings.len() > MAX_READINGS || bytes > MAX_BYTES {
            return Err("can be read in too many ways".to_owned());
        }
        next += 1;
    }
    Ok(readings)
}

/// The path that the runtime sends for this one. A URL parser resolves dot segments, even escaped
/// ones, and treats a backslash as a slash (WHATWG URL, section 4.4, "path state").
pub fn as_sent(path: &str) -> Result<String, String> {
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = path.split(['/', '\\']).skip(1).peekable();
    while let Some(part) = parts.next() {
        match part.to_ascii_lowercase().replace("%2e", ".").as_str() {
            ".." => drop(segments.pop().ok_or_else(climbs)?),
            "." => {}
            _ => {
                segments.push(part);
                continue;
            }
        }
        if parts.peek().is_none() {
            segments.push("");
        }
    }
    Ok(format!("/{}", segments.join("/")))
}

/// Whether two URLs have the same path after decoding their escapes once.
#[must_use]
pub fn is_same(url: &str, other: &str) -> bool {
    let path = |url: &str| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let path =
            rest.find(['/', '?', '#']).and_then(|begin| rest.get(begin..)).unwrap_or_default();
        decoded(&before(&before(path.as_bytes(), b'?'), b'#'))
    };
    // URL parsers read an empty path as a slash.
    let [path, other] =
        [url, other].map(path).map(|path| if path.is_empty() { vec![b'/'] } else { path });
    path == other
}

/// The segments of a reading, without empty ones and single dots.
pub fn segments(reading: &[u8]) -> impl Iterator<Item = &[u8]> {
    reading.split(|byte| *byte == b'/').filter(|segment| !matches!(*segment, b"" | b"."))
}

fn refuse(reading: &[u8]) -> Result<(), String> {
    let has =
        |part: &[u8]| reading.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
    if reading.iter().any(u8::is_ascii_control) {
        return Err("must not have control characters in its path".to_owned());
    }
    if has(b"%u") {
        return Err("must not have escapes like %u0041 in its path".to_owned());
    }
    if has(b"..;") {
        return Err("must not have ..; in its path".to_owned());
    }
    resolved(reading).map(drop).ok_or_else(climbs)
}

fn climbs() -> String {
    "must not climb above its root".to_owned()
}

fn decoded(text: &[u8]) -> Vec<u8> {
    percent_encoding::percent_decode(text).collect()
}

/// Decodes like servers that split the path first, or that leave `%2f` as it is.
fn decoded_but_slashes(text: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let escape = rest.get(..3).filter(|escape| *first == b'%' && decoded(escape).len() == 1);
        let Some(escape) = escape else {
            result.push(*first);
            rest = tail;
            continue;
        };
        match decoded(escape).first() {
            Some(byte) if !matches!(byte, b'/' | b'\\') => result.push(*byte),
            _ => result.extend(escape),
        }
        rest = rest.get(3..).unwrap_or_default();
    }
    result
}

fn with_slashes(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect()
}

fn before(text: &[u8], end: u8) -> Vec<u8> {
    text.split(|byte| *byte == end).next().unwrap_or_default().to_vec()
}

/// Resolves dot segments and drops empty ones. `None` if the path climbs above its root.
fn resolved(text: &[u8]) -> Option<Vec<u8>> {
    let mut stack: Vec<&[u8]> = Vec::new();
    for segment in segments(text) {
        match segment {
            b".." => drop(stack.pop()?),
            other => stack.push(other),
        }
    }
    Some(joined(stack.into_iter()))
}

fn joined<'a>(segments: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    segments.flat_map(|segment| [b"/", segment]).flatten().copied().collect()
}

/// Cuts each segment at its first semicolon, as servlet containers do.
fn without_parameters(text: &[u8]) -> Vec<u8> {
    joined(
        text.split(|byte| *byte == b'/')
            .map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or_default())
            .skip(1),
    )
}

/// Cuts the name of a stream (`:$DATA`), and final dots and spaces, off each segment. A segment of
/// only dots and spaces becomes `..` if it begins with two dots, and is dropped otherwise.
fn as_on_windows(text: &[u8]) -> Vec<u8> {
    let name = |segment| {
        let file: &[u8] = <[u8]>::split(segment, |byte| *byte == b':').next().unwrap_or_default();
        let length =
            file.iter().rposition(|byte| !matches!(byte, b'.' | b' ')).map_or(0, |last| last + 1);
        if length == 0 && file.starts_with(b"..") {
            b"..".as_slice()
        } else {
            file.get(..length).unwrap_or_default()
        }
    };
    joined(text.split(|byte| *byte == b'/').skip(1).map(name))
}

/// Replaces characters that some system reads as ASCII: overlong UTF-8, full-width forms and other
/// compatibility forms. Removes characters that cannot be seen.
fn folded(text: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let (length, folded) = match character(rest) {
            Some((code, length)) if !first.is_ascii() => (length, ascii(code)),
            _ => (1, None),
        };
        match folded {
            Some(text) => result.extend(text.bytes()),
            None => result.extend(rest.get(..length).unwrap_or_default()),
        }
        rest = tail.get(length - 1..).unwrap_or_default();
    }
    result
}

/// Decodes a code point and its length as a careless decoder does. It accepts overlong forms, and
/// after C0 and C1 it does not check the next byte.
fn character(text: &[u8]) -> Option<(u32, usize)> {
    let first = *text.first()?;
    let (length, begin) = match first {
        0xc0..=0xdf => (2, first & 0x1f),
        0xe0..=0xef => (3, first & 0x0f),
        0xf0..=0xf7 => (4, first & 0x07),
        _ => return None,
    };
    let rest = text.get(1..length)?;
    let is_continued = rest.iter().all(|byte| byte & 0xc0 == 0x80);
    let code = rest.iter().fold(u32::from(begin), |code, byte| code << 6 | u32::from(byte & 0x3f));
    (is_continued || first <= 0xc1).then_some((code, length))
}

fn ascii(code: u32) -> Option<String> {
    let letter =
        |first: u8, offset: u32| char::from_u32(u32::from(first) + offset).map(String::from);
    let text = match code {
        0..=0x7f => return letter(0, code),
        // Full-width forms.
        0xff01..=0xff5e => return letter(b'!', code - 0xff01),
        // Letters in circles, and mathematical letters, which come in blocks of fifty-two.
        0x24b6..=0x24cf => return letter(b'A', code - 0x24b6),
        0x24d0..=0x24e9 => return letter(b'a', code - 0x24d0),
        0x1d400..=0x1d6a3 => match (code - 0x1d400) % 52 {
            offset @ 0..=25 => return letter(b'A', offset),
            offset => return letter(b'a', offset - 26),
        },
        0x1d7ce..=0x1d7ff => return letter(b'0', (code - 0x1d7ce) % 10),
        // Soft hyphen, combining marks, and characters that have no width or only set a direction.
        0xad
        | 0x300..=0x36f
        | 0x200b..=0x200f
        | 0x202a..=0x202e
        | 0x2060..=0x206f
        | 0xfe00..=0xfe0f
        | 0xfeff => "",
        0xa0 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000 => " ",
        0x2024 | 0x3002 | 0xfe52 | 0xff61 => ".",
        0x2025 => "..",
        0x2026 => "...",
        0x2044 | 0x2215 | 0x2571 | 0x29f8 => "/",
        // Japanese and Korean code pages have the yen and the won sign in place of the backslash.
        0xa5 | 0x20a9 | 0x2216 | 0x29f5 | 0xfe68 => "\\",
        0x2236 | 0xa789 | 0xfe13 | 0xfe55 => ":",
        0x37e | 0xfe14 | 0xfe54 => ";",
        0xfe16 | 0xfe56 => "?",
        0xfe5f => "#",
        0x130 | 0x131 => "i",
        0x17f => "s",
        0x212a => "k",
        0xfb00 => "ff",
        0xfb01 => "fi",
        0xfb02 => "fl",
        0xfb03 => "ffi",
        0xfb04 => "ffl",
        0xfb05 | 0xfb06 => "st",
        _ => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(path: &str, reading: &str) -> bool {
        all(path).unwrap().iter().any(|one| one == reading.as_bytes())
    }

    #[test]
    fn a_plain_path_has_one_reading() {
        assert_eq!(all("/a/b-c").unwrap().len(), 1);
        assert!(all("/a/b.c?").unwrap().len() < 4);
    }

    #[test]
    fn each_step_is_taken_and_after_any_other() {
        for (path, reading) in [
            ("/a%2fb", "/a/b"),
            ("/%61%2fb/../c", "/c"),
            ("/%61%252fb", "/a%2fb"),
            ("/%252561", "/a"),
            ("/a;x/b", "/a/b"),
            ("/a%3bx", "/a"),
            ("/a::$DATA/b", "/a/b"),
            ("/a.%20./b", "/a/b"),
            ("/a/b/..%20/c", "/a/c"),
            ("/a%5cb", "/a/b"),
            ("/a%3fb/c", "/a"),
            ("/a%2523b/c", "/a"),
            ("/%c1%a1", "/a"),
            ("/%e0%81%a1", "/a"),
            ("/%ef%bd%81", "/a"),
            ("/a%ef%bc%8fb", "/a/b"),
            ("/a%e2%80%8db", "/ab"),
            ("/x/a%2f../b", "/x/b"),
        ] {
            assert!(reads(path, reading), "{path} may be read as {reading}");
        }
        assert!(
            reads("/%72eports/..%2fstatic", "/reports/..%2fstatic"),
            "as by servers that split first"
        );
    }

    #[test]
    fn paths_that_climb_and_unusual_escapes_are_refused() {
        for path in [
            "/..",
            "/../a",
            "/a/../../b",
            "/..%2fb",
            "/a/..%2f..%2fb",
            "/..%5cb",
            "/%252e%252e%252fb",
            "/%25252e%25252e%25252fb",
            "/..%c0%afb",
            "/%ef%bc%8e%ef%bc%8e/b",
            "/...",
            "/..%20/b",
            "/..::$INDEX_ALLOCATION/b",
            "/a;/..%3bx/../b",
            "/a/..;/b",
            "/a/..%3b/b",
            "/a/%2e%2e%253bx/b",
            "/%u0072eports",
            "/%25u0072eports",
            "/%U0072",
            "/a%00",
            "/a%2500b",
            "/a%c0%80",
            "/a%0d%0ab",
        ] {
            assert!(all(path).is_err(), "{path}");
        }
        assert!(all(&format!("/{}", "%255c.%253b%253a%25252f%c0%af;a:b/".repeat(400))).is_err());
        assert!(all(&format!("/%{}61", "25".repeat(200))).is_err());
    }

    #[test]
    fn urls_are_the_same_if_only_escapes_differ() {
        assert!(is_same("http://a:80/b c?d", "http://a/b%20c"));
        assert!(is_same("http://a", "http://a/?x"));
        for other in ["http://a/c", "http://a/b/../c", "http://a/b%20c/", "http://a/b", "http://a"]
        {
            assert!(!is_same("http://a/b c", other), "{other}");
        }
    }

    #[test]
    fn the_sent_path_is_the_one_that_the_runtime_makes() {
        for (path, sent) in [
            ("/a/./b/%2E/c", "/a/b/c"),
            ("/a/b/..", "/a/"),
            ("/a/.%2e/b", "/b"),
            ("/a\\..\\b", "/b"),
            ("/a//b/", "/a//b/"),
            ("/a/.", "/a/"),
            ("/a%2f..%2fb", "/a%2f..%2fb"),
            ("/", "/"),
        ] {
            assert_eq!(as_sent(path).unwrap(), sent, "{path}");
        }
        assert!(as_sent("/a/../..").is_err());
    }
}
