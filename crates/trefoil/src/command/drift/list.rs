//! `trefoil drift --list`: what can be computed, in the words of the files that compute it.

/// Everything by heading.
pub(super) fn list() -> String {
    let mut text = String::new();
    for family in mlmon::catalogue::families() {
        text.push_str(&family.title.to_uppercase());
        text.push_str("\n\n");
        for entry in family.entries {
            text.push_str(entry.name);
            for line in entry.documentation.lines() {
                text.push_str("\n    ");
                text.push_str(line);
            }
            text.push_str("\n\n");
        }
    }
    text
}
