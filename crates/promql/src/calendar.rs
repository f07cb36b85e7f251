//! Days and hours of timestamps, UTC.

use stdx::calendar::{Date, days_in_month};

/// A moment as the proleptic Gregorian calendar has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: i64,
    /// From 1.
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    /// From 0, Sunday.
    pub(crate) weekday: i64,
    /// From 1.
    pub(crate) day_of_year: i64,
}

const DAY: i64 = 86_400;

impl Civil {
    /// Of seconds since 1970; what is too far away for a calendar is moved to its end.
    pub(crate) fn from_seconds(seconds: i64) -> Civil {
        let seconds = seconds.clamp(-(1 << 55), 1 << 55);
        let (days, rest) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        let Date { year, month, day } = Date::of_day(days);
        let before: i64 = (1..month).map(|month| days_in_month(year, month)).sum();
        Civil {
            year,
            month,
            day,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: (days + 4).rem_euclid(7),
            day_of_year: before + day,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (seconds, expect) in [
            (0, (1970, 1, 1, 4, 1)),
            (951_782_400, (2000, 2, 29, 2, 60)),
            (-86_400, (1969, 12, 31, 3, 365)),
            (4_107_542_400, (2100, 3, 1, 1, 60)),
        ] {
            let time = Civil::from_seconds(seconds);
            let found = (time.year, time.month, time.day, time.weekday, time.day_of_year);
            assert_eq!(found, expect, "{seconds}");
        }
    }
}
