//! The one place of this crate that reads the clock, and its calendar.

use std::fmt;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

pub(crate) fn instant() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
    Instant::now()
}

pub(crate) fn wall() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
    SystemTime::now()
}

/// A point in time as people and log lines write it, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Utc {
    year: i64,
    month: i64,
    day: i64,
    second_of_day: u64,
    micros: u32,
}

impl Utc {
    pub(crate) fn new(time: SystemTime) -> Utc {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let days = i64::try_from(since.as_secs() / 86_400).unwrap_or(0);
        let (year, month, day) = civil_from_days(days);
        let second_of_day = since.as_secs() % 86_400;
        Utc { year, month, day, second_of_day, micros: since.subsec_micros() }
    }

    fn time(self) -> (u64, u64, u64) {
        (self.second_of_day / 3600, self.second_of_day / 60 % 60, self.second_of_day % 60)
    }

    /// `2025-11-09 03:22:54`.
    pub(crate) fn plain(self) -> impl fmt::Display {
        let (hour, minute, second) = self.time();
        let Utc { year, month, day, .. } = self;
        fmt::from_fn(move |f| {
            write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
        })
    }

    /// `2025-11-09T03:22:54.123456Z`.
    pub(crate) fn rfc3339(self) -> impl fmt::Display {
        let (hour, minute, second) = self.time();
        let Utc { year, month, day, micros, .. } = self;
        fmt::from_fn(move |f| {
            write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
            write!(f, ".{micros:06}Z")
        })
    }
}

/// Days since 1970 to a date, after Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>), for days from 1970 on.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expect) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_762_658_574, "2025-11-09 03:22:54"),
            (4_107_542_399, "2100-02-28 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(Utc::new(time).plain().to_string(), expect);
        }
        let time = UNIX_EPOCH + Duration::from_micros(1_762_658_574_000_007);
        assert_eq!(Utc::new(time).rfc3339().to_string(), "2025-11-09T03:22:54.000007Z");
    }
}
