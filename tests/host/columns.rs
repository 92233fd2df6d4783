//! Lines are short enough to be read side by side. Formatters leave comments and texts as they are.

use std::path::{Path, PathBuf};

const MOST: usize = 100;
const FOLDERS: [&str; 6] =
    ["src", "argon2id", "build-helper", "scripts", "bench", "public/v1/console"];
/// Other people's code.
const LEFT_OUT: [&str; 2] = ["vendor", "node_modules"];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !LEFT_OUT.iter().any(|name| path.ends_with(name)) {
                files(&path, found);
            }
        } else if path.extension().is_some_and(|end| ["rs", "mjs", "sh"].iter().any(|e| end == *e))
        {
            found.push(path);
        }
    }
}

#[test]
fn no_line_is_longer_than_a_hundred_columns() {
    let mut found = Vec::new();
    for folder in FOLDERS {
        files(Path::new(folder), &mut found);
    }
    assert!(found.len() > 300, "{}", found.len());
    let mut long = Vec::new();
    for path in found {
        let text = std::fs::read_to_string(&path).expect("a source");
        // A single word, such as a hash, cannot be broken.
        let is_long =
            |(_, line): &(usize, &str)| line.chars().count() > MOST && line.trim().contains(' ');
        for (index, _) in text.lines().enumerate().filter(is_long) {
            long.push(format!("{}:{}", path.display(), index + 1));
        }
    }
    assert!(long.is_empty(), "longer than {MOST} columns: {long:#?}");
}
