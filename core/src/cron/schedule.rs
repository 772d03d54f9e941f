//! A schedule of five fields, as crontab(5) has them: minute, hour, day of month, month, day of week, in UTC. Where both days are
//! restricted, either is enough; a field that begins with `*` restricts nothing in this.
//!
//! Of the many additions that other readers know (`@daily`, `L`, `#`, `W`, seconds, years) none is read: what means something else
//! elsewhere must not be accepted here.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Timelike, Utc};

/// Days that are looked at for the next tick: a 29th of February can be eight years away.
const DAYS_MAX: u64 = 366 * 9;

/// Longest schedule that is read.
const BYTES_MAX: usize = 200;

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A schedule. Each field is a set of bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    /// From Sunday on, 0 to 6.
    weekdays: u64,
    /// Whether a day must be one of both.
    needs_both_days: bool,
}

/// A schedule that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ScheduleError {
    /// Where in the text, in characters from 1.
    pub column: u32,
    /// How many characters.
    pub width: u32,
    /// What is wrong.
    pub message: String,
}

/// What a field may have.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59, names: &[] },
    Field { name: "hour", least: 0, most: 23, names: &[] },
    Field { name: "day of month", least: 1, most: 31, names: &[] },
    Field { name: "month", least: 1, most: 12, names: MONTHS },
    // Sunday is 0, and 7 too.
    Field { name: "day of week", least: 0, most: 7, names: WEEKDAYS },
];

impl Schedule {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let whole = |message: &str| ScheduleError { column: 1, width: width(text), message: message.to_owned() };
        if text.len() > BYTES_MAX {
            return Err(whole("a schedule is not that long"));
        }
        let words = words(text);
        if words.first().is_some_and(|(_, word)| word.starts_with('@')) {
            return Err(whole("a schedule has five fields, for example \"0 3 * * *\" for @daily at three"));
        }
        let Ok::<[(usize, &str); 5], _>(words) = words.try_into() else {
            return Err(whole("a schedule has five fields: minute, hour, day of month, month, day of week"));
        };
        let mut sets = [0; 5];
        for ((set, field), (at, word)) in sets.iter_mut().zip(&FIELDS).zip(words) {
            *set = field.read(at, word)?;
        }
        let [minutes, hours, days, months, weekdays] = sets;
        let is_any = |at: usize| words[at].1.starts_with('*');
        let schedule = Self {
            minutes,
            hours,
            days,
            months,
            weekdays: weekdays | weekdays >> 7 & 1,
            needs_both_days: is_any(2) || is_any(4),
        };
        // From a leap year on: whether there is any such day does not depend on now.
        if schedule.next_after(DateTime::UNIX_EPOCH).is_none() {
            let ((at, _), (_, months)) = (words[2], words[3]);
            let message = format!("there is no such day in month {months}");
            return Err(ScheduleError { column: column(text, at), width: width(words[2].1), message });
        }
        Ok(schedule)
    }

    /// The first tick after a time.
    pub fn next_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let from = at.checked_add_signed(TimeDelta::minutes(1))?;
        let (mut date, mut minute) = (from.date_naive(), from.hour() * 60 + from.minute());
        for _ in 0..DAYS_MAX {
            if self.has_day(date)
                && let Some(found) = self.first_from(minute)
            {
                return moment(date, found);
            }
            date = date.checked_add_days(Days::new(1))?;
            minute = 0;
        }
        None
    }

    /// The last tick that is not after a time.
    pub fn at_or_before(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (mut date, mut minute) = (at.date_naive(), at.hour() * 60 + at.minute());
        for _ in 0..DAYS_MAX {
            if self.has_day(date)
                && let Some(found) = self.last_until(minute)
            {
                return moment(date, found);
            }
            date = date.checked_sub_days(Days::new(1))?;
            minute = 24 * 60 - 1;
        }
        None
    }

    fn has_day(&self, date: NaiveDate) -> bool {
        #[cfg(test)]
        tests::DAYS_LOOKED_AT.with(|days| days.set(days.get() + 1));
        let of_month = has(self.days, date.day());
        let of_week = has(self.weekdays, date.weekday().num_days_from_sunday());
        let is_day = if self.needs_both_days { of_month && of_week } else { of_month || of_week };
        is_day && has(self.months, date.month())
    }

    /// The first minute of a day from one on. The sets are asked as a whole: no search goes through the minutes of a day.
    fn first_from(&self, of_day: u32) -> Option<u32> {
        let (hour, minute) = (of_day / 60, of_day % 60);
        let in_hour = self.minutes & u64::MAX << minute;
        if has(self.hours, hour) && in_hour != 0 {
            return Some(hour * 60 + in_hour.trailing_zeros());
        }
        let later = self.hours & u64::MAX << (hour + 1);
        (later != 0).then(|| later.trailing_zeros() * 60 + self.minutes.trailing_zeros())
    }

    /// The last minute of a day until one.
    fn last_until(&self, of_day: u32) -> Option<u32> {
        let (hour, minute) = (of_day / 60, of_day % 60);
        let in_hour = self.minutes & u64::MAX >> (63 - minute);
        if has(self.hours, hour)
            && let Some(last) = in_hour.checked_ilog2()
        {
            return Some(hour * 60 + last);
        }
        let earlier = self.hours & ((1 << hour) - 1);
        Some(earlier.checked_ilog2()? * 60 + self.minutes.checked_ilog2()?)
    }
}

impl Field {
    /// The numbers of a field, as bits. `at` is the byte at which it begins.
    fn read(&self, at: usize, word: &str) -> Result<u64, ScheduleError> {
        let (mut set, mut begins) = (0, at);
        for part in word.split(',') {
            set |= self.part(part).map_err(|message| ScheduleError {
                column: u32::try_from(begins + 1).unwrap_or(u32::MAX),
                width: width(part).max(1),
                message,
            })?;
            begins += part.len() + 1;
        }
        Ok(set)
    }

    /// `*`, `7`, `1-5`, each but the second with `/2`.
    fn part(&self, part: &str) -> Result<u64, String> {
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => (range, Some(self.step(step)?)),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.most),
            Some((from, to)) => (self.number(from)?, self.number(to)?),
            None => {
                let one = self.number(range)?;
                if step.is_some() {
                    let (name, most) = (self.name, self.most);
                    return Err(format!("{part:?} of {name} is read in two ways; write {one}-{most}/… or */…"));
                }
                (one, one)
            }
        };
        if from > to {
            return Err(format!("the range {range:?} of {} ends before it begins", self.name));
        }
        let step = step.unwrap_or(1) as usize;
        Ok((from..=to).step_by(step).fold(0, |set, number| set | 1 << number))
    }

    fn step(&self, text: &str) -> Result<u32, String> {
        let step = digits(text).filter(|step| (1..=self.most).contains(step));
        step.ok_or_else(|| format!("{text:?} is no step of {}: 1 to {}", self.name, self.most))
    }

    fn number(&self, text: &str) -> Result<u32, String> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let named = named.and_then(|at| u32::try_from(at).ok()).map(|at| at + self.least);
        let found = named.or_else(|| digits(text)).filter(|number| (self.least..=self.most).contains(number));
        found.ok_or_else(|| {
            let words = match self.names {
                [first, .., last] => format!(", or {first} to {last}"),
                _ => String::new(),
            };
            format!("{text:?} is no {}: {} to {}{words}", self.name, self.least, self.most)
        })
    }
}

/// Digits and nothing else: no sign, no space.
fn digits(text: &str) -> Option<u32> {
    let is_plain = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

/// What stands between white space, with the byte at which each begins.
fn words(text: &str) -> Vec<(usize, &str)> {
    let begins = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    text.split_ascii_whitespace().map(|word| (begins(word), word)).collect()
}

fn has(set: u64, number: u32) -> bool {
    set >> number & 1 == 1
}

fn moment(date: NaiveDate, minute: u32) -> Option<DateTime<Utc>> {
    Some(date.and_time(NaiveTime::from_hms_opt(minute / 60, minute % 60, 0)?).and_utc())
}

fn column(text: &str, at: usize) -> u32 {
    width(text.get(..at).unwrap_or(text)) + 1
}

fn width(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
