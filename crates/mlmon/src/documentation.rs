//! The comment that a detector's file opens with: its documentation for people.

/// What people call it: the beginning of the comment.
pub(crate) fn title(source: &'static str) -> &'static str {
    let line = source.lines().next().unwrap_or_default().trim_start_matches("//!");
    line.split([':', '.']).next().unwrap_or(line).trim()
}

/// The whole comment.
pub(crate) fn text(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n")
}
