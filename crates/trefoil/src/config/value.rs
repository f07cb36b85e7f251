//! From texts to values.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use model::Tenant;

use super::document::{self, Node};
use super::settings::{Kind, Setting};
use super::{AuthKey, Given};

/// Reads settings one by one, given ones before defaults, and collects what is wrong.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    given: &'a BTreeMap<&'static str, Given>,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(given: &'a BTreeMap<&'static str, Given>) -> Reader<'a> {
        Reader { given, problems: Vec::new() }
    }

    pub(super) fn into_problems(self) -> Vec<String> {
        self.problems
    }

    pub(super) fn text(&mut self, path: &str) -> String {
        let kind = Setting::find(path).expect("a setting of the list").kind;
        self.read(path, |node| {
            let text = as_text(node)?;
            match kind {
                Kind::Choice(words) if !words.contains(&text) => {
                    Err(format!("{text:?} is not one of {}", words.join(", ")))
                }
                _ => Ok(text.to_owned()),
            }
        })
    }

    /// A text, or nothing.
    pub(super) fn optional_text(&mut self, path: &str) -> Option<String> {
        self.read(path, |node| match node {
            Node::Null => Ok(None),
            node => Ok(Some(as_text(node)?.to_owned()).filter(|text| !text.is_empty())),
        })
    }

    pub(super) fn switch(&mut self, path: &str) -> bool {
        self.read(path, |node| match as_text(node)? {
            "true" | "yes" | "on" | "1" => Ok(true),
            "false" | "no" | "off" | "0" => Ok(false),
            other => Err(format!("{other:?} is neither true nor false")),
        })
    }

    pub(super) fn count(&mut self, path: &str) -> usize {
        self.read(path, |node| {
            let text = as_text(node)?;
            text.parse().map_err(|_| format!("{text:?} is not a whole number"))
        })
    }

    pub(super) fn bytes(&mut self, path: &str) -> usize {
        self.read(path, |node| bytes(as_text(node)?))
    }

    pub(super) fn optional_bytes(&mut self, path: &str) -> Option<usize> {
        self.read(path, |node| optional(as_text(node)?, bytes))
    }

    pub(super) fn duration(&mut self, path: &str) -> Duration {
        self.read(path, |node| duration(as_text(node)?))
    }

    pub(super) fn optional_duration(&mut self, path: &str) -> Option<Duration> {
        self.read(path, |node| optional(as_text(node)?, duration))
    }

    pub(super) fn address(&mut self, path: &str) -> SocketAddr {
        self.read_or(path, |node| address(as_text(node)?), || SocketAddr::from(([0; 4], 0)))
    }

    pub(super) fn optional_address(&mut self, path: &str) -> Option<SocketAddr> {
        self.read(path, |node| optional(as_text(node)?, address))
    }

    pub(super) fn optional_url(&mut self, path: &str) -> Option<url::Url> {
        self.read(path, |node| match node {
            Node::Null => Ok(None),
            node => {
                let text = as_text(node)?;
                if text.is_empty() {
                    return Ok(None);
                }
                let url = url::Url::parse(text);
                url.map(Some).map_err(|error| format!("{text:?} is no URL: {error}"))
            }
        })
    }

    pub(super) fn map(&mut self, path: &str) -> Vec<(String, String)> {
        self.read(path, |node| match node {
            Node::Null => Ok(Vec::new()),
            Node::Map(entries) => entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), as_text(value)?.to_owned())))
                .collect(),
            _ => Err("expected names and values".to_owned()),
        })
    }

    /// Names, and a duration for each.
    pub(super) fn durations(&mut self, path: &str) -> Vec<(String, Duration)> {
        self.read(path, |node| match node {
            Node::Null => Ok(Vec::new()),
            Node::Map(entries) => entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), duration(as_text(value)?)?)))
                .collect(),
            _ => Err("expected names and durations".to_owned()),
        })
    }

    /// Some of the setting's words, as a list or with commas between.
    pub(super) fn words(&mut self, path: &str) -> Vec<String> {
        let kind = Setting::find(path).expect("a setting of the list").kind;
        let known = |word: &str| match kind {
            Kind::Words(words) if !words.contains(&word) => {
                Err(format!("{word:?} is not one of {}", words.join(", ")))
            }
            _ => Ok(word.to_owned()),
        };
        self.read(path, |node| match node {
            Node::Null => Ok(Vec::new()),
            Node::List(entries) => entries.iter().map(|entry| known(as_text(entry)?)).collect(),
            node => {
                let words = as_text(node)?.split(',').map(str::trim);
                words.filter(|word| !word.is_empty()).map(known).collect()
            }
        })
    }

    pub(super) fn auth_keys(&mut self, path: &str) -> Vec<AuthKey> {
        self.read(path, |node| match node {
            Node::Null => Ok(Vec::new()),
            Node::List(entries) => entries.iter().map(auth_key).collect(),
            node => Ok(vec![auth_key(node)?]),
        })
    }

    fn read<T: Default>(&mut self, path: &str, parse: impl Fn(&Node) -> Result<T, String>) -> T {
        self.read_or(path, parse, T::default)
    }

    fn read_or<T>(
        &mut self,
        path: &str,
        parse: impl Fn(&Node) -> Result<T, String>,
        otherwise: impl FnOnce() -> T,
    ) -> T {
        let setting = Setting::find(path).expect("a setting of the list");
        let parsed = match self.given.get(path) {
            Some(given) => parse(&given.node).map_err(|problem| (&given.place, problem)),
            None => {
                let node = document::parse_value(path, setting.default);
                let node = node.expect("defaults are well formed");
                Ok(parse(&node).unwrap_or_else(|problem| panic!("{path}'s default: {problem}")))
            }
        };
        parsed.unwrap_or_else(|(place, problem)| {
            let problem = if place == path || place.starts_with("TREFOIL_") {
                format!("{place}: {problem}")
            } else {
                format!("{place}: {path}: {problem}")
            };
            self.problems.push(problem);
            otherwise()
        })
    }
}

fn as_text(node: &Node) -> Result<&str, String> {
    match node {
        Node::Text(text) => Ok(text.trim()),
        Node::Null => Err("has no value".to_owned()),
        Node::List(_) => Err("a list stands where one value is expected".to_owned()),
        Node::Map(_) => Err("keys stand where one value is expected".to_owned()),
    }
}

fn optional<T>(text: &str, parse: fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    match text {
        "off" | "false" | "none" => Ok(None),
        text => parse(text).map(Some),
    }
}

/// The first key of a list of keys that stands in the clear.
pub(super) fn first_key(node: &Node) -> Option<String> {
    match node {
        Node::List(entries) => entries.iter().find_map(first_key),
        Node::Map(entries) => {
            first_key(entries.iter().find(|(name, _)| name == "key").map(|(_, value)| value)?)
        }
        Node::Text(key) => (!key.starts_with("sha256:")).then(|| key.clone()),
        Node::Null => None,
    }
}

fn auth_key(node: &Node) -> Result<AuthKey, String> {
    let (key, tenant) = match node {
        Node::Map(entries) => {
            let of = |name: &str| {
                entries.iter().find(|(key, _)| key == name).map(|(_, value)| as_text(value))
            };
            if let Some((key, _)) = entries.iter().find(|(key, _)| key != "key" && key != "tenant")
            {
                return Err(format!("unknown key {key}; an entry has key and tenant"));
            }
            (of("key").unwrap_or_else(|| Err("an entry has no key".to_owned()))?, of("tenant"))
        }
        node => (as_text(node)?, None),
    };
    let tenant = match tenant {
        Some(name) => Tenant::parse(name?).map_err(|error| error.to_string())?,
        None => Tenant::default_tenant(),
    };
    let key = api::Key::parse(key, tenant).map_err(|error| error.to_string())?;
    Ok(AuthKey { key })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let named = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let any = text.strip_prefix(':').map(|port| format!("0.0.0.0:{port}"));
    let full = named.or(any).unwrap_or_else(|| text.to_owned());
    full.parse().map_err(|_| format!("{text:?} is no address such as 127.0.0.1:3000"))
}

/// `64MiB`, `1.5 GiB`, `100kB`, `4096`.
pub(crate) fn bytes(text: &str) -> Result<usize, String> {
    const UNITS: &[(&str, f64)] = &[
        ("", 1.0),
        ("b", 1.0),
        ("kb", 1e3),
        ("mb", 1e6),
        ("gb", 1e9),
        ("tb", 1e12),
        ("kib", 1024.0),
        ("mib", 1_048_576.0),
        ("gib", 1_073_741_824.0),
        ("tib", 1_099_511_627_776.0),
    ];
    let wrong = || format!("{text:?} is no size such as 64MiB");
    let (number, factor) = split_unit(text, UNITS).ok_or_else(wrong)?;
    let bytes = number * factor;
    if !(0.0..9e15).contains(&bytes) {
        return Err(wrong());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    Ok(bytes.round() as usize)
}

/// `500ms`, `30s`, `15m`, `744h`, `30d`.
fn duration(text: &str) -> Result<Duration, String> {
    const UNITS: &[(&str, f64)] = &[
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3_600.0),
        ("d", 86_400.0),
        ("w", 604_800.0),
        ("y", 31_536_000.0),
    ];
    let wrong = || format!("{text:?} is no duration such as 30s, 15m or 30d");
    let (number, factor) = split_unit(text, UNITS).ok_or_else(wrong)?;
    match Duration::try_from_secs_f64(number * factor) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(wrong()),
    }
}

fn split_unit(text: &str, units: &[(&str, f64)]) -> Option<(f64, f64)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    Some((number.parse().ok()?, factor))
}
