//! The sources as the architecture's tests read them: the files, the code in them, and which file
//! names which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A file of `src`.
pub struct Source {
    pub path: PathBuf,
    /// Without comments and without code for unit tests.
    pub code: String,
    /// The module's path in the crate: `["api", "dialects", "v1", "users"]`.
    module: Vec<String>,
}

/// Stands for the crate's root itself. A file that names it could reach every room unseen.
pub const ROOT: &str = "the crate's root";

pub fn sources() -> Vec<Source> {
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::from("src")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("src") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(Source::read(path));
            }
        }
    }
    found
}

impl Source {
    fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).expect("a source");
        let shipped = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        let without_comment =
            |line: &str| line.split(" // ").next().unwrap_or_default().to_owned() + "\n";
        let code: String = shipped.lines().filter(is_code).map(without_comment).collect();
        let code = without_visibility(&code);
        let module = module_of(path.strip_prefix("src").expect("a source"));
        Self { path, code, module }
    }

    /// The paths that the code names, from the crate's root: `api::http::route::Call`.
    pub fn names(&self) -> Vec<Vec<String>> {
        let mut names = Vec::new();
        let mut rest = String::new();
        for (index, statement) in self.code.split(';').enumerate() {
            let at_use = statement.rfind("use ").filter(|at| {
                index == 0
                    || statement[..*at].trim_end().is_empty()
                    || is_item_start(&statement[..*at])
            });
            match at_use {
                Some(at) => {
                    rest.push_str(&statement[..at]);
                    expand(&statement[at + 4..], "", &mut names);
                }
                None => rest.push_str(statement),
            }
        }
        inline_paths(&rest, &mut names);
        names.into_iter().filter_map(|name| self.absolute(&name)).collect()
    }

    fn absolute(&self, name: &str) -> Option<Vec<String>> {
        let mut parts: Vec<_> = name
            .split("::")
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty())
            .collect();
        let mut base: Vec<String> = match parts.first()?.as_str() {
            "crate" | "$crate" => Vec::new(),
            "self" => self.module.clone(),
            "super" => {
                let steps = parts.iter().take_while(|part| *part == "super").count();
                parts.drain(1..steps);
                self.module[..self.module.len().saturating_sub(steps)].to_vec()
            }
            // A child, such as `wire::done` in the module that declares `mod wire`.
            child if self.code.contains(&format!("mod {child};")) => {
                let mut path = self.module.clone();
                path.push(child.to_owned());
                path.extend(parts.drain(1..));
                return Some(path);
            }
            _ => return None,
        };
        base.extend(parts.drain(1..));
        let is_root = base.first().is_none_or(|first| first == "*");
        Some(if is_root { vec![ROOT.to_owned()] } else { base })
    }
}

/// `pub(in crate::edge)` restricts an item's visibility and names nothing itself.
fn without_visibility(code: &str) -> String {
    let mut parts = code.split("pub(in ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |code, part| code + "pub" + part.split_once(')').map_or("", |(_, rest)| rest))
}

/// `use` begins an item if the text before it ends another item or an attribute.
fn is_item_start(before: &str) -> bool {
    before.trim_end().ends_with(['}', ']', '{'])
        || before.trim_end().ends_with("pub")
        || before.trim_end().ends_with(')')
}

fn module_of(path: &Path) -> Vec<String> {
    let mut parts: Vec<_> =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| ["mod", "lib"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

/// `a::{b, c::d}` becomes `a::b` and `a::c::d`.
fn expand(tree: &str, prefix: &str, names: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((begin, rest)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or_default().trim();
        names.push(if name == "self" {
            prefix.trim_end_matches("::").to_owned()
        } else {
            format!("{prefix}{name}")
        });
        return;
    };
    let inner = &rest[..rest.rfind('}').unwrap_or(rest.len())];
    let (mut depth, mut start) = (0, 0);
    for (at, character) in inner.char_indices().chain([(inner.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !inner[start..at].trim().is_empty() {
                    expand(&inner[start..at], &format!("{prefix}{begin}"), names);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// Paths with `::` outside of `use`.
fn inline_paths(code: &str, names: &mut Vec<String>) {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$';
    names.extend(code.split(|c| !is_part(c)).filter(|word| word.contains("::")).map(str::to_owned));
}

/// For each file, the files that it names.
pub fn graph() -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
    let sources = sources();
    let files: BTreeMap<_, _> =
        sources.iter().map(|source| (source.module.clone(), source.path.clone())).collect();
    let file_of =
        |name: &[String]| (1..=name.len()).rev().find_map(|length| files.get(&name[..length]));
    let named = |source: &Source| {
        source
            .names()
            .iter()
            .filter_map(|name| file_of(name))
            .filter(|file| **file != source.path)
            .cloned()
            .collect()
    };
    sources.iter().map(|source| (source.path.clone(), named(source))).collect()
}

/// Groups of files that name each other, directly or through other files.
pub fn circles(graph: &BTreeMap<PathBuf, BTreeSet<PathBuf>>) -> Vec<Vec<PathBuf>> {
    let reached: BTreeMap<_, _> = graph.keys().map(|file| (file, reach(graph, file))).collect();
    let mut circles = BTreeSet::new();
    for (file, from_here) in &reached {
        let others = from_here.iter().filter(|other| {
            *other != *file && reached.get(other).is_some_and(|back| back.contains(*file))
        });
        let circle: BTreeSet<_> = others.chain([*file]).cloned().collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().map(|circle| circle.into_iter().collect()).collect()
}

fn reach(graph: &BTreeMap<PathBuf, BTreeSet<PathBuf>>, from: &Path) -> BTreeSet<PathBuf> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(file) = open.pop() {
        for next in graph.get(&file).into_iter().flatten() {
            if reached.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms(path: &str, code: &str) -> Vec<String> {
        let source = Source {
            path: PathBuf::from(path),
            code: code.to_owned(),
            module: module_of(Path::new(path).strip_prefix("src").expect("src")),
        };
        source.names().into_iter().filter_map(|name| name.into_iter().next()).collect()
    }

    #[test]
    fn a_path_that_climbs_is_followed_to_where_it_ends() {
        for (path, code) in [
            ("src/api/http/body.rs", "use super::super::super::memory::isolate::Memory;\n"),
            ("src/api/gateway.rs", "use super::super::memory::isolate::Memory;\n"),
            ("src/api/mod.rs", "use super::memory::isolate::Memory;\n"),
            ("src/api/gateway.rs", "fn f() { super::super::memory::copy::fetch() }\n"),
        ] {
            assert_eq!(rooms(path, code), ["memory"], "{path} {code}");
        }
    }

    /// An alias or a glob of the root would import every room under a name that the rules do not
    /// see.
    #[test]
    fn the_root_of_the_crate_is_named_by_no_alias_and_no_glob() {
        for code in [
            "use crate as root;\n",
            "use crate::*;\n",
            "use super::super::*;\n",
            "use crate::{self as root};\n",
        ] {
            assert!(rooms("src/api/gateway.rs", code).contains(&ROOT.to_owned()), "{code}");
        }
    }
}
