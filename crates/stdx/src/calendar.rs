//! Days as dates: the Gregorian calendar, in UTC, before its introduction too.

/// The farthest day from 1970 that has a date of its own.
const DAY_MAX: i64 = 1 << 50;
/// Days in 400 years, after which the calendar repeats itself.
const ERA: i64 = 146_097;
/// Days from 1 March of the year 0, where counting is simplest, to 1970.
const BEFORE_1970: i64 = 719_468;

/// A day by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// The year; 0 is the one before 1.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
}

impl Date {
    /// The date where the calendar has it.
    #[must_use]
    pub fn new(year: i64, month: i64, day: i64) -> Option<Date> {
        let there = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
        there.then_some(Date { year, month, day })
    }

    /// Of a count of days since 1970; what is too far away is moved to the calendar's end.
    ///
    /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    /// Years begin in March, so that the leap day is their last.
    #[must_use]
    pub fn of_day(days: i64) -> Date {
        let shifted = days.clamp(-DAY_MAX, DAY_MAX) + BEFORE_1970;
        let (era, of_era) = (shifted.div_euclid(ERA), shifted.rem_euclid(ERA));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Date {
            year: year + era * 400 + i64::from(month <= 2),
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
        }
    }

    /// Days since 1970, for years within 10¹² of it.
    ///
    /// Source: as above, `days_from_civil`.
    #[must_use]
    pub fn days(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - BEFORE_1970
    }
}

/// How many days `month` of `year` has.
#[must_use]
pub fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut before = Date { year: 1969, month: 12, day: 31 };
        for day in 0..ERA {
            let date = Date::of_day(day);
            let follows = match (date.month, date.day) {
                (1, 1) => before == Date { year: date.year - 1, month: 12, day: 31 },
                (month, 1) => {
                    before
                        == Date {
                            month: month - 1,
                            day: days_in_month(date.year, month - 1),
                            ..date
                        }
                }
                (_, day) => before == Date { day: day - 1, ..date },
            };
            assert!(follows, "{before:?} then {date:?}");
            assert_eq!(date.days(), day);
            assert_eq!(Date::new(date.year, date.month, date.day), Some(date));
            before = date;
        }
        assert_eq!(before, Date { year: 2369, month: 12, day: 31 });
    }

    #[test]
    fn dates_before_1970_and_far_away() {
        for (day, year, month, of_month) in
            [(-1, 1969, 12, 31), (-719_528, 0, 1, 1), (-719_529, -1, 12, 31), (11_016, 2000, 2, 29)]
        {
            let date = Date { year, month, day: of_month };
            assert_eq!(Date::of_day(day), date);
            assert_eq!(date.days(), day);
        }
        assert_eq!(Date::of_day(i64::MAX), Date::of_day(DAY_MAX));
        assert_eq!(Date::of_day(i64::MIN), Date::of_day(-DAY_MAX));
    }

    #[test]
    fn what_the_calendar_has_not_is_no_date() {
        for (year, month, day) in
            [(2026, 2, 29), (1900, 2, 29), (2026, 0, 1), (2026, 13, 1), (2026, 4, 31), (2026, 1, 0)]
        {
            assert_eq!(Date::new(year, month, day), None);
        }
        assert!(Date::new(2000, 2, 29).is_some());
    }
}
