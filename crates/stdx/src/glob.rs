//! Files by a pattern, as Go's `filepath.Glob` finds them.

use std::path::{Component, Path, PathBuf};

/// The paths that `pattern` stands for, sorted: `*`, `?` and `[a-z]` within one part of the path.
/// Without any of these it is the path itself, if it is there.
#[must_use]
pub fn glob(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let text = component.as_os_str().to_string_lossy();
        let plain = !matches!(component, Component::Normal(_)) || !text.contains(['*', '?', '[']);
        let mut next = Vec::new();
        for base in found {
            if plain {
                next.push(base.join(component));
            } else {
                next.extend(matching(&base, &text));
            }
        }
        found = next;
    }
    found.retain(|path| path.try_exists().unwrap_or(false));
    found.sort();
    found
}

fn matching(directory: &Path, pattern: &str) -> Vec<PathBuf> {
    let listed = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let Ok(entries) = std::fs::read_dir(listed) else { return Vec::new() };
    let pattern: Vec<char> = pattern.chars().collect();
    entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let name_chars: Vec<char> = name.chars().collect();
            matches(&pattern, &name_chars).then(|| directory.join(name))
        })
        .collect()
}

fn matches(pattern: &[char], name: &[char]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((&'*', rest)), _) => (0..=name.len()).any(|skip| matches(rest, &name[skip..])),
        (Some((&'?', rest)), Some((_, name))) => matches(rest, name),
        (Some((&'[', rest)), Some((&c, name))) => {
            let Some(end) = rest.iter().position(|&c| c == ']') else { return false };
            in_class(&rest[..end], c) && matches(&rest[end + 1..], name)
        }
        (Some((p, rest)), Some((c, name))) => p == c && matches(rest, name),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn in_class(class: &[char], c: char) -> bool {
    let (negated, class) = match class.split_first() {
        Some((&'^', rest)) => (true, rest),
        _ => (false, class),
    };
    let mut inside = false;
    let mut rest = class;
    while let [low, tail @ ..] = rest {
        match tail {
            ['-', high, tail @ ..] => {
                inside |= (*low..=*high).contains(&c);
                rest = tail;
            }
            _ => {
                inside |= *low == c;
                rest = tail;
            }
        }
    }
    inside != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expect) in [
            ("*.yml", "a.yml", true),
            ("*.yml", "a.yaml", false),
            ("a?[0-9].json", "ab7.json", true),
            ("[^a]*", "abc", false),
            ("", "", true),
        ] {
            let pattern: Vec<char> = pattern.chars().collect();
            let name: Vec<char> = name.chars().collect();
            assert_eq!(matches(&pattern, &name), expect);
        }
    }
}
