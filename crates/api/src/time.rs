//! Times as the API takes and gives them.

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use serde::Deserialize;
use stdx::calendar::Date;
use stdx::clock::UnixNanos;
use utoipa::IntoParams;

use crate::Error;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
pub(crate) const NANOS_PER_MILLI: i64 = 1_000_000;
const HOUR: i64 = 3_600 * NANOS_PER_SECOND;

/// How many buckets a chart gets, about.
const BUCKETS: i64 = 60;

/// The range of a request.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RangeParams {
    /// RFC 3339, or integer milliseconds since 1970. An hour before `end` when absent.
    pub start: Option<String>,
    /// RFC 3339, or integer milliseconds since 1970. Now when absent.
    pub end: Option<String>,
}

/// From `start` (in) to `end` (out).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: UnixNanos,
    pub(crate) end: UnixNanos,
}

impl Range {
    pub(crate) fn read(params: &RangeParams, now: UnixNanos) -> Result<Range, Error> {
        let end = match &params.end {
            Some(text) => parse("end", text)?,
            // What carries this very nanosecond is in.
            None => now.saturating_add(NANOS_PER_MILLI),
        };
        let start = match &params.start {
            Some(text) => parse("start", text)?,
            None => end.saturating_sub(HOUR),
        };
        if start > end {
            return Err(Error::bad_request("start is after end"));
        }
        Ok(Range { start, end })
    }

    /// The width of a bucket, milliseconds: a round one that makes about sixty of the range.
    pub(crate) fn step_ms(self) -> i64 {
        const SECOND: i64 = 1_000;
        const MINUTE: i64 = 60 * SECOND;
        const STEPS: [i64; 26] = [
            10,
            20,
            50,
            100,
            200,
            500,
            SECOND,
            2 * SECOND,
            5 * SECOND,
            10 * SECOND,
            15 * SECOND,
            30 * SECOND,
            MINUTE,
            2 * MINUTE,
            5 * MINUTE,
            10 * MINUTE,
            15 * MINUTE,
            30 * MINUTE,
            60 * MINUTE,
            120 * MINUTE,
            180 * MINUTE,
            360 * MINUTE,
            720 * MINUTE,
            1_440 * MINUTE,
            10_080 * MINUTE,
            43_200 * MINUTE,
        ];
        let wanted = self.span_ms() / BUCKETS;
        let round = STEPS.into_iter().find(|&step| step >= wanted);
        round.unwrap_or_else(|| wanted - wanted.rem_euclid(1_440 * MINUTE) + 1_440 * MINUTE)
    }

    /// The buckets' starts, milliseconds since 1970.
    pub(crate) fn buckets(self) -> Buckets {
        let step_ms = self.step_ms();
        let start_ms = self.start.div_euclid(NANOS_PER_MILLI);
        let first_ms = start_ms - start_ms.rem_euclid(step_ms);
        let last_ms = (self.end - 1).max(self.start).div_euclid(NANOS_PER_MILLI);
        let count = usize::try_from((last_ms - first_ms) / step_ms + 1).unwrap_or(1);
        Buckets { first_ms, step_ms, count }
    }

    fn span_ms(self) -> i64 {
        (self.end - self.start) / NANOS_PER_MILLI
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate has no more digits than that")]
    pub(crate) fn seconds(self) -> f64 {
        ((self.end - self.start) as f64 / 1e9).max(1e-3)
    }
}

/// Equal steps of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Buckets {
    pub(crate) first_ms: i64,
    pub(crate) step_ms: i64,
    pub(crate) count: usize,
}

impl Buckets {
    /// Which bucket a bucket's start is.
    pub(crate) fn index(self, time_ms: i64) -> Option<usize> {
        let index = usize::try_from((time_ms - self.first_ms).div_euclid(self.step_ms)).ok()?;
        (index < self.count).then_some(index)
    }

    /// The start of a bucket.
    pub(crate) fn time_ms(self, index: usize) -> i64 {
        self.first_ms + self.step_ms * i64::try_from(index).unwrap_or_default()
    }
}

/// Reads a time.
pub(crate) fn parse(name: &str, text: &str) -> Result<UnixNanos, Error> {
    if let Ok(millis) = text.parse::<i64>() {
        return millis
            .checked_mul(NANOS_PER_MILLI)
            .ok_or_else(|| Error::bad_request(format!("{name} is out of range")));
    }
    // A `+` in a query string that was not escaped has become a blank.
    string_to_timestamp_nanos(&text.replace(' ', "+")).map_err(|_| Error::BadRequest {
        message: format!("{name} is no time: {text:?}"),
        column: None,
        hint: Some("give RFC 3339, 2026-11-21T03:44:07Z, or milliseconds since 1970".to_owned()),
    })
}

/// `2026-11-21T03:44:07.123456789Z`.
pub fn format(time: UnixNanos) -> String {
    let mut out = Vec::with_capacity(30);
    write(&mut out, time.div_euclid(NANOS_PER_SECOND), time.rem_euclid(NANOS_PER_SECOND), 9);
    String::from_utf8(out).expect("digits and punctuation")
}

/// Writes a time with as many digits behind the second as its unit has. `fraction` is in that unit.
pub(crate) fn write(out: &mut Vec<u8>, seconds: i64, fraction: i64, digits: usize) {
    let days = seconds.div_euclid(86_400);
    let second = seconds.rem_euclid(86_400);
    let Date { year, month, day } = Date::of_day(days);
    if !(0..=9_999).contains(&year) {
        out.extend_from_slice(if year < 0 { b"-" } else { b"+" });
    }
    digits_of(out, year.abs(), 4);
    out.push(b'-');
    digits_of(out, month, 2);
    out.push(b'-');
    digits_of(out, day, 2);
    out.push(b'T');
    digits_of(out, second / 3_600, 2);
    out.push(b':');
    digits_of(out, second / 60 % 60, 2);
    out.push(b':');
    digits_of(out, second % 60, 2);
    if digits > 0 {
        out.push(b'.');
        digits_of(out, fraction, digits);
    }
    out.push(b'Z');
}

/// Writes a day.
pub(crate) fn write_date(out: &mut Vec<u8>, days: i64) {
    let Date { year, month, day } = Date::of_day(days);
    if year < 0 {
        out.push(b'-');
    }
    digits_of(out, year.abs(), 4);
    out.push(b'-');
    digits_of(out, month, 2);
    out.push(b'-');
    digits_of(out, day, 2);
}

fn digits_of(out: &mut Vec<u8>, value: i64, width: usize) {
    let mut buffer = [b'0'; 20];
    let mut rest = value;
    let mut start = buffer.len();
    while rest > 0 {
        start -= 1;
        buffer[start] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    out.extend_from_slice(&buffer[start.min(buffer.len() - width)..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (time, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (1_795_230_247_123_456_789, "2026-11-21T03:04:07.123456789Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"),
        ] {
            assert_eq!(format(time), text);
            assert_eq!(parse("start", text).ok(), Some(time));
        }
        assert_eq!(parse("start", "1500").ok(), Some(1_500 * NANOS_PER_MILLI));
        assert_eq!(parse("start", "1970-01-01T01:00:00 01:00").ok(), Some(0));
        assert!(parse("start", "yesterday").is_err());
    }

    #[test]
    fn the_last_hour_has_about_sixty_buckets() {
        let end = 1_795_230_247_123_456_789;
        let range = Range::read(&RangeParams::default(), end).expect("the default");
        let buckets = range.buckets();
        assert_eq!((buckets.step_ms, buckets.count), (60_000, 61));
        assert_eq!(buckets.index(buckets.time_ms(60)), Some(60));
        assert_eq!(buckets.index(buckets.time_ms(61)), None);
    }

    #[test]
    fn a_range_that_ends_before_it_starts_is_refused() {
        let params = RangeParams { start: Some("2".to_owned()), end: Some("1".to_owned()) };
        assert!(Range::read(&params, 0).is_err());
    }
}
