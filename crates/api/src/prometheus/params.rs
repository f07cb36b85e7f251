//! Parameters of requests: of the address and, with POST, of the form in the body.

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse as _, Response};
use http::header;
use model::metric::Matcher;
use promql::duration::parse_duration;
use promql::parser::parse_selector;
use promql::text::quote;
use stdx::calendar::Date;
use stdx::clock::UnixNanos;

use super::envelope::ApiError;
use super::outside::Selection;

/// The longest form, bytes, as in Go.
const FORM_BYTES_MAX: usize = 10 << 20;

/// The earliest time, milliseconds, as in Prometheus.
pub(super) const MIN_TIME: i64 = -9_223_309_901_257_974_000;
/// The latest.
pub(super) const MAX_TIME: i64 = 9_223_309_901_257_974_999;
const MIN_TIME_TEXT: &str = "-292273086-05-16T16:47:06Z";
const MAX_TIME_TEXT: &str = "292277025-08-18T07:12:54.999999999Z";

/// The parameters, those of the body first.
#[derive(Debug, Clone, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = Response;

    async fn from_request(request: Request, _state: &S) -> Result<Params, Response> {
        let refuse = |error: String| {
            ApiError::bad_data(format!("error parsing form values: {error}")).into_response()
        };
        let (parts, body) = request.into_parts();
        let mut params = Vec::new();
        let is_form = parts.headers.get(header::CONTENT_TYPE).is_some_and(|value| {
            value.as_bytes().starts_with(b"application/x-www-form-urlencoded")
        });
        if is_form && parts.method != http::Method::GET {
            let bytes = to_bytes(body, FORM_BYTES_MAX).await;
            let bytes = bytes.map_err(|error| refuse(error.to_string()))?;
            decode(&String::from_utf8_lossy(&bytes), &mut params).map_err(refuse)?;
        }
        decode(parts.uri.query().unwrap_or_default(), &mut params).map_err(refuse)?;
        Ok(Params(params))
    }
}

fn decode(text: &str, into: &mut Vec<(String, String)>) -> Result<(), String> {
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        into.push((unescape(name)?, unescape(value)?));
    }
    Ok(())
}

/// `%41+b` is `A b`.
fn unescape(text: &str) -> Result<String, String> {
    if !text.contains(['%', '+']) {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit =
                    |at: usize| rest.get(at).and_then(|byte| char::from(*byte).to_digit(16));
                let (Some(high), Some(low)) = (digit(0), digit(1)) else {
                    let shown = String::from_utf8_lossy(rest.get(..2).unwrap_or(rest));
                    return Err(format!("invalid URL escape {}", quote(&format!("%{shown}"))));
                };
                bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                rest = rest.get(2..).unwrap_or_default();
            }
            other => bytes.push(other),
        }
    }
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

impl Params {
    #[cfg(test)]
    pub(super) fn of(query: &str) -> Params {
        let mut params = Vec::new();
        decode(query, &mut params).expect("a query");
        Params(params)
    }

    /// The first value, or an empty text.
    pub(super) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }

    /// All values.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A time, milliseconds; `default` when there is none.
    pub(super) fn time(&self, name: &str, default: i64) -> Result<i64, ApiError> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(default);
        }
        parse_time(text).map_err(|error| {
            ApiError::parameter(name, format!("invalid time value for '{name}': {error}"))
        })
    }

    /// A time that has to be there.
    pub(super) fn required_time(&self, name: &str) -> Result<i64, ApiError> {
        parse_time(self.get(name)).map_err(|error| ApiError::parameter(name, error))
    }

    /// A duration, milliseconds.
    pub(super) fn duration(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.get(name) {
            "" => Ok(None),
            text => parse_duration_param(text)
                .map(Some)
                .map_err(|error| ApiError::parameter(name, error)),
        }
    }

    /// A number of results; 0 and nothing are as many as there are.
    pub(super) fn limit(&self) -> Result<Option<usize>, ApiError> {
        let text = self.get("limit");
        if text.is_empty() {
            return Ok(None);
        }
        let limit = whole_number(text).map_err(|error| ApiError::parameter("limit", error))?;
        match usize::try_from(limit) {
            Ok(0) => Ok(None),
            Ok(limit) => Ok(Some(limit)),
            Err(_) => Err(ApiError::parameter("limit", "limit must be non-negative")),
        }
    }

    /// The sets of matchers of `match[]`.
    pub(super) fn matchers(&self) -> Result<Vec<Vec<Matcher>>, ApiError> {
        let mut sets = Vec::new();
        for text in self.all("match[]") {
            let set =
                parse_selector(text).map_err(|error| ApiError::parameter("match[]", error))?;
            if set.iter().all(Matcher::matches_empty) {
                let message = "match[] must contain at least one non-empty matcher";
                return Err(ApiError::parameter("match[]", message));
            }
            sets.push(set);
        }
        Ok(sets)
    }

    /// `match[]`, `start`, `end` and `limit`.
    pub(super) fn selection(&self) -> Result<Selection, ApiError> {
        Ok(Selection {
            limit: self.limit()?.unwrap_or(usize::MAX),
            start: self.time("start", MIN_TIME)?,
            end: self.time("end", MAX_TIME)?,
            matchers: self.matchers()?,
        })
    }
}

/// An integer, with the error that Go's `strconv.Atoi` has.
pub(super) fn whole_number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| {
        let reason = if text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit())
            && !text.is_empty()
        {
            "value out of range"
        } else {
            "invalid syntax"
        };
        format!("strconv.Atoi: parsing {}: {reason}", quote(text))
    })
}

/// A time: seconds since 1970 or RFC 3339. Milliseconds.
pub(super) fn parse_time(text: &str) -> Result<i64, String> {
    let failed = || format!("cannot parse {} to a valid timestamp", quote(text));
    if let Ok(seconds) = text.parse::<f64>() {
        if !seconds.is_finite() || seconds.abs() > 9.2e15 {
            return Err(failed());
        }
        #[expect(clippy::cast_possible_truncation, reason = "it was compared with the limits")]
        return Ok((seconds.trunc() * 1000.0) as i64 + (seconds.fract() * 1000.0).round() as i64);
    }
    match text {
        MIN_TIME_TEXT => return Ok(MIN_TIME),
        MAX_TIME_TEXT => return Ok(MAX_TIME),
        _ => {}
    }
    parse_rfc3339(text).ok_or_else(failed)
}

/// As Prometheus writes times: fractions without zeros at their end.
pub(super) fn rfc3339(time: UnixNanos) -> String {
    let text = crate::rfc3339(time);
    let bare = text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    if text.contains('.') { format!("{bare}Z") } else { text }
}

/// `2015-07-01T20:10:51.781Z`, `…+01:00`. Milliseconds.
fn parse_rfc3339(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        let all = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| all)
    };
    let at = |index: usize| text.as_bytes().get(index).copied();
    let separated = at(4) == Some(b'-')
        && at(7) == Some(b'-')
        && at(10) == Some(b'T')
        && at(13) == Some(b':')
        && at(16) == Some(b':');
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let mut rest = text.get(19..)?;
    let mut fraction = 0;
    if let Some(after) = rest.strip_prefix('.') {
        let length = after.bytes().position(|byte| !byte.is_ascii_digit())?;
        let (digits, zone) = after.split_at_checked(length)?;
        fraction = format!("{digits:0<3}").get(..3)?.parse().ok().filter(|_| length > 0)?;
        rest = zone;
    }
    let offset = match rest.as_bytes() {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let start = text.len() - 5;
            let minutes = number(start..start + 2)? * 60 + number(start + 3..start + 5)?;
            if *sign == b'+' { minutes } else { -minutes }
        }
        _ => return None,
    };
    let days = Date::new(year, month, day)?.days();
    if !separated || hour >= 24 || minute >= 60 || second >= 60 {
        return None;
    }
    Some((days * 86_400 + hour * 3_600 + (minute - offset) * 60 + second) * 1_000 + fraction)
}

/// A duration: seconds or a Prometheus duration. Milliseconds.
pub(super) fn parse_duration_param(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        if !seconds.is_finite() || seconds.abs() > 9_223_372_036.0 {
            return Err(format!(
                "cannot parse {} to a valid duration. It overflows int64",
                quote(text)
            ));
        }
        #[expect(clippy::cast_possible_truncation, reason = "it was compared with the limits")]
        return Ok((seconds * 1000.0).round() as i64);
    }
    parse_duration(text).map_err(|_| format!("cannot parse {} to a valid duration", quote(text)))
}

/// A truth, as Go's `strconv.ParseBool` reads it.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, expect) in [
            ("0", Ok(0)),
            ("1435781451.781", Ok(1_435_781_451_781)),
            ("-1.5", Ok(-1_500)),
            ("2015-07-01T20:10:51.781Z", Ok(1_435_781_451_781)),
            ("2015-06-03T14:21:58.555+01:00", Ok(1_433_337_718_555)),
            (MAX_TIME_TEXT, Ok(MAX_TIME)),
            ("foo", Err(())),
            ("", Err(())),
            ("NaN", Err(())),
            ("2015-07-01", Err(())),
            ("2015-07-01T20:10:51", Err(())),
            ("2015-02-29T20:10:51Z", Err(())),
            ("2016-02-29T00:00:00.5-00:30", Ok(1_456_705_800_500)),
            ("1969-12-31T23:59:59.999999Z", Ok(-1)),
        ] {
            assert_eq!(parse_time(text).map_err(|_| ()), expect, "{text}");
        }
        assert_eq!(
            parse_time("foo").expect_err("no time"),
            "cannot parse \"foo\" to a valid timestamp"
        );
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration_param("15"), Ok(15_000));
        assert_eq!(parse_duration_param("1.5"), Ok(1_500));
        assert_eq!(parse_duration_param("1h30m"), Ok(5_400_000));
        assert!(parse_duration_param("1e30").expect_err("long").contains("overflows"));
        assert!(parse_duration_param("x").is_err());
    }

    #[test]
    fn forms() {
        let params = Params::of("a=1&b=%7Bx%3D%22y+z%22%7D&a=2&match[]=up&limit=0&c");
        assert_eq!(params.get("a"), "1");
        assert_eq!(params.get("b"), "{x=\"y z\"}");
        assert_eq!(params.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(params.limit(), Ok(None));
        assert_eq!(params.matchers().expect("one").len(), 1);
        assert_eq!(unescape("%zz").expect_err("bad"), "invalid URL escape \"%zz\"");
        let message =
            |query: &str| Params::of(query).selection().map(drop).expect_err("refused").message;
        assert_eq!(
            message("limit=x"),
            "invalid parameter \"limit\": strconv.Atoi: parsing \"x\": invalid syntax"
        );
        assert_eq!(message("limit=-1"), "invalid parameter \"limit\": limit must be non-negative");
        assert_eq!(
            message("start=x"),
            "invalid parameter \"start\": invalid time value for 'start': cannot parse \"x\" to a valid timestamp"
        );
        assert_eq!(
            message("match[]={a=\"\"}"),
            "invalid parameter \"match[]\": match[] must contain at least one non-empty matcher"
        );
        assert_eq!(
            message("match[]=a["),
            "invalid parameter \"match[]\": 1:2: parse error: unexpected \"[\""
        );
    }
}
