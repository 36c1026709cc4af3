//! What comes from elsewhere: `[[feed]]`, each by its schedule, and `[feeds]`.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use cron::Schedule;
use serde::Deserialize;

use crate::config::Config;
use crate::domain::address::Address;
use crate::domain::feed::{BIRTHDAYS, FEED, From, fetchable};
use crate::domain::import::Mode;
use crate::service::feeds::Operated;

/// Names of the days of a week as crontab counts them, Sunday once more at the end.
const DAYS: [&str; 8] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedKeys {
    pub name: String,
    pub url: Option<String>,
    pub directory: Option<String>,
    pub target: String,
    pub schedule: String,
    pub timezone: Option<String>,
    pub mode: Option<String>,
    pub source: Option<String>,
    pub private: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedsKeys {
    pub subscriptions: bool,
    pub allow_private: bool,
    pub per_user: usize,
    pub refresh_seconds: u32,
    pub refresh_min_seconds: u32,
    pub refresh_max_seconds: u32,
    pub refreshes_per_minute: u32,
    pub failures: u32,
    pub body_bytes: u64,
    pub timeout_seconds: u64,
    pub redirects: usize,
    pub at_once: usize,
}

/// A schedule: five fields as in crontab, or the six or seven of the library, with seconds first and years last.
///
/// In five fields the days of the week are counted from Sunday, 0 or 7; in six and seven, Sunday is 1. Names mean the same in both.
///
/// ```
/// use campanile::config::feeds::schedule;
/// assert!(schedule("*/30 8-18 * * 1-5").is_ok());
/// assert!(schedule("0 */30 8-18 * * Mon-Fri *").is_ok());
/// assert!(schedule("61 * * * *").is_err());
/// ```
pub fn schedule(text: &str) -> Result<Schedule, String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let spelled = match fields.as_slice() {
        [minute, hour, day, month, week] => format!("0 {minute} {hour} {day} {month} {}", week_days(week)?),
        _ => text.to_owned(),
    };
    let schedule = Schedule::from_str(&spelled).map_err(|error| format!("{text:?} is no schedule: {error}"))?;
    match schedule.after(&DateTime::<Utc>::UNIX_EPOCH).next() {
        Some(_) => Ok(schedule),
        None => Err(format!("{text:?} never comes")),
    }
}

/// Days of the week in crontab's numbers, as names.
fn week_days(field: &str) -> Result<String, String> {
    if !field.contains(|c: char| c.is_ascii_digit()) {
        return Ok(field.to_owned());
    }
    let wrong = || format!("{field:?} are no days of the week");
    let day = |text: &str| match text.parse::<usize>() {
        Ok(number) => Some(number).filter(|number| *number < DAYS.len()),
        Err(_) => DAYS.iter().position(|name| text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(name))),
    };
    let mut all = BTreeSet::new();
    for part in field.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let step = step.parse::<usize>().ok().filter(|step| *step > 0).ok_or_else(wrong)?;
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (0, 6),
            Some((from, to)) => (day(from).ok_or_else(wrong)?, day(to).ok_or_else(wrong)?),
            None if part.contains('/') => (day(range).ok_or_else(wrong)?, 6),
            None => day(range).map(|day| (day, day)).ok_or_else(wrong)?,
        };
        if from > to {
            return Err(wrong());
        }
        all.extend((from..=to).step_by(step).map(|day| day % 7));
    }
    let names: Vec<&str> = all.into_iter().filter_map(|day| DAYS.get(day).copied()).collect();
    Ok(names.join(","))
}

/// Whether all of them could work, beyond their types.
pub fn check(feeds: &[FeedKeys]) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for feed in feeds {
        let name = &feed.name;
        let wrong = |why: String| Err(format!("{name:?}: {why}"));
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            return wrong("a feed's name is 1 to 64 of A-Z a-z 0-9 . _ -".to_owned());
        }
        if name.starts_with(FEED) || name.starts_with(BIRTHDAYS) {
            return wrong("names that begin so are the service's own".to_owned());
        }
        if !names.insert(name) {
            return wrong("two feeds have this name".to_owned());
        }
        match (&feed.url, &feed.directory) {
            (Some(url), None) => {
                if let Err(why) = fetchable(url) {
                    return wrong(format!("url: {why}"));
                }
            }
            (None, Some(path)) if !path.is_empty() => {}
            _ => return wrong("give it either a url or a directory".to_owned()),
        }
        if Address::parse(&feed.target).is_none_or(|target| target.is_mailbox()) {
            return wrong(format!("{:?} is no path of a collection like /calendars/alice/school", feed.target));
        }
        if let Err(why) = schedule(&feed.schedule) {
            return wrong(why);
        }
        if let Some(zone) = feed.timezone.as_ref().filter(|zone| zone.parse::<Tz>().is_err()) {
            return wrong(format!("no zone named {zone:?}"));
        }
        if let Some(mode) = feed.mode.as_ref().filter(|mode| Mode::parse(mode).is_none()) {
            return wrong(format!("no mode named {mode:?}"));
        }
        if feed.source.as_ref().is_some_and(|source| source.is_empty() || source.len() > 255) {
            return wrong("a source has 1 to 255 bytes".to_owned());
        }
    }
    Ok(())
}

impl Config {
    /// The operator's feeds. What `check` refuses is left out.
    pub fn operated(&self) -> Vec<Operated> {
        let operated = |feed: &FeedKeys| {
            let from = match (&feed.url, &feed.directory) {
                (Some(url), _) => From::Url(fetchable(url).ok()?),
                (None, Some(path)) => From::Directory(path.clone()),
                (None, None) => return None,
            };
            Some(Operated {
                name: feed.name.clone(),
                from,
                target: Address::parse(&feed.target)?,
                mode: feed.mode.as_deref().map_or(Some(Mode::Mirror), Mode::parse)?,
                source: feed.source.clone().unwrap_or_else(|| feed.name.clone()),
                schedule: feed.schedule.clone(),
                zone: feed.timezone.clone().unwrap_or_else(|| self.calendar.default_timezone.clone()),
                private: feed.private.unwrap_or(false),
            })
        };
        self.feed.iter().filter_map(operated).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_mean_what_crontab_means() {
        // A Wednesday.
        let from: DateTime<Utc> = "2025-01-15T09:00:00Z".parse().expect("an instant");
        let rows = [
            ("*/30 * * * *", "2025-01-15T09:30:00Z"),
            ("0 6 * * *", "2025-01-16T06:00:00Z"),
            ("0 6 * * 0", "2025-01-19T06:00:00Z"),
            ("0 6 * * 7", "2025-01-19T06:00:00Z"),
            ("0 6 * * 1", "2025-01-20T06:00:00Z"),
            ("0 6 * * 5-7", "2025-01-17T06:00:00Z"),
            ("0 6 * * 1/2", "2025-01-17T06:00:00Z"),
            ("0 6 * * Mon-Fri", "2025-01-16T06:00:00Z"),
            ("0 6 1 3 *", "2025-03-01T06:00:00Z"),
            ("15 0 6 * * *", "2025-01-16T06:00:15Z"),
            ("0 0 6 * * 1", "2025-01-19T06:00:00Z"),
            ("0 0 6 1 1 * 2027", "2027-01-01T06:00:00Z"),
        ];
        for (text, want) in rows {
            let next = schedule(text).unwrap_or_else(|why| panic!("{text}: {why}")).after(&from).next();
            assert_eq!(next, want.parse().ok(), "{text}");
        }
        for text in ["", "* * * *", "0 6 * * 8", "0 6 * * 6-1", "0 6 * * 1/0", "0 6 30 2 *", "0 0 6 30 2 *", "soon"] {
            assert!(schedule(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_file_names_feeds() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("c.toml");
        let feed = |schedule: &str| {
            format!(
                "[[feed]]\nname = 'a'\ndirectory = '/srv'\ntarget = '/calendars/alice/a'\nschedule = '{schedule}'\n"
            )
        };
        let read = |text: &str| {
            std::fs::write(&path, text).expect("written");
            crate::config::read(&crate::config::layers(Some(&path), [], Vec::new())?)
        };
        let found = read(&feed("0 * * * *")).expect("sound").operated();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].mode, found[0].source.as_str(), found[0].zone.as_str()), (Mode::Mirror, "a", "UTC"));
        let why = read(&feed("often")).expect_err("no schedule").to_string();
        assert!(why.contains("feed") && why.contains("often"), "{why}");
    }

    #[test]
    fn what_could_not_work_is_named() {
        let sound = "name='a'\nurl='https://example.org/a.ics'\ntarget='/calendars/alice/a'\nschedule='0 * * * *'\n";
        let read = |text: &str| toml::from_str::<FeedKeys>(text).expect("keys");
        assert_eq!(check(&[read(sound)]), Ok(()));
        let rows = [
            (sound.replace("'a'", "'a b'"), "1 to 64"),
            (sound.replace("'a'", "'feed-a'"), "own"),
            (sound.replace("https:", "ftp:"), "must begin with"),
            (format!("{sound}directory='/srv'\n"), "either"),
            (sound.replace("/calendars/alice/a'", "/calendars/alice'"), "no path"),
            (sound.replace("0 * *", "0 99 *"), "no schedule"),
            (format!("{sound}timezone='Mars/Olympus'\n"), "no zone"),
            (format!("{sound}mode='burn'\n"), "no mode"),
            (format!("{sound}source=''\n"), "255"),
        ];
        for (text, want) in rows {
            let why = check(&[read(&text)]).expect_err(&text);
            assert!(why.contains(want), "{why:?} does not say {want:?}");
        }
        assert!(check(&[read(sound), read(sound)]).expect_err("twice").contains("two feeds"));
    }
}
