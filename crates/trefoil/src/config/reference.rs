//! The reference page of the configuration, made from the list of settings.

use std::fmt::Write as _;

use super::settings::SETTINGS;
use super::variable_of;

/// The page `docs/configuration.md`.
pub(crate) fn page() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         <!-- Generated from crates/trefoil/src/config/settings.rs by `trefoil docs`; \
         do not edit. -->\n\n\
         `trefoil serve --config FILE` reads one YAML file. Every setting has a default, so the \
         file may be empty or absent. An environment variable goes over the file; its value is \
         written as in the file. An unknown key is an error that names its line and the nearest \
         key that there is. `trefoil check FILE` says whether a file is good.\n\n\
         Sizes are written `64MiB`, `100kB` or as a number of bytes; durations `500ms`, `30s`, \
         `15m`, `744h`, `30d`.\n",
    );
    let mut section = None;
    for setting in SETTINGS {
        let own = setting.path.split_once('.').map_or("general", |(section, _)| section);
        if section != Some(own) {
            section = Some(own);
            write!(
                page,
                "\n## {own}\n\n| setting | values | default | what it does |\n|---|---|---|---|\n"
            )
            .expect("writing to a string");
        }
        let default = if setting.default.is_empty() {
            "empty".to_owned()
        } else {
            format!("`{}`", setting.default)
        };
        writeln!(
            page,
            "| `{}`<br>`{}` | {} | {default} | {} |",
            setting.path,
            variable_of(setting.path),
            setting.kind.doc(),
            setting.doc
        )
        .expect("writing to a string");
    }
    page
}
