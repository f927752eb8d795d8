//! A copy of the archive in a folder: making one by `aws s3`, and reading it.
//!
//! What is in a copy is read as it is and believed by nobody: [`curfew_audit::verify`] does that.
//! Must not know: what is in the objects.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use curfew_audit::archive::{CHECKPOINTS, EVENTS, KEYS, checkpoint_number};
use curfew_audit::verify::{Source, Unreadable};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::Value;

use super::reach::Reached;
use super::trouble::Trouble;
use crate::edge;
use crate::progress::say;

/// The stack's output that names the bucket.
const BUCKET: &str = "ArchiveBucketName";

/// After so many seconds a person who waits is told how far it is, and again after as many.
const TOLD_EVERY: SignedDuration = SignedDuration::from_secs(5);

/// A copy of the archive. Reading it says from time to time how much was read.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    read: Cell<u64>,
    told_at: Cell<Timestamp>,
}

impl Folder {
    /// The copy in a folder.
    ///
    /// # Errors
    /// There is no such folder, or nothing of an archive in it: a slip, and no archive that lost everything.
    pub fn open(root: &Path) -> Result<Self, Unreadable> {
        let parts = [EVENTS, CHECKPOINTS, KEYS].map(|part| root.join(part.trim_end_matches('/')));
        if parts.iter().any(|part| part.is_dir()) {
            return Ok(Self { root: root.to_owned(), read: Cell::new(0), told_at: Cell::new(edge::now()) });
        }
        let message = match root.metadata() {
            Ok(_) => "none of `events`, `checkpoints` and `keys` is in it: name the folder that `curfew export` wrote to".to_owned(),
            Err(error) => error.to_string(),
        };
        Err(Unreadable { key: root.display().to_string(), message })
    }

    /// Every file below a folder, by its key. What is neither a file nor a folder (a link that leads elsewhere) is no object.
    fn walk(&self, folder: &Path, keys: &mut Vec<String>) -> Result<(), Unreadable> {
        let failed = |error: std::io::Error| unreadable(&folder.display().to_string(), &error);
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
            if kind.is_dir() {
                self.walk(&path, keys)?;
            } else if kind.is_file() {
                keys.push(self.key(&path)?);
            }
        }
        Ok(())
    }

    fn tell(&self) {
        let (read, now) = (self.read.get().saturating_add(1), edge::now());
        self.read.set(read);
        if now.duration_since(self.told_at.get()) >= TOLD_EVERY {
            say(format_args!("{read} objects read so far"));
            self.told_at.set(now);
        }
    }

    fn key(&self, path: &Path) -> Result<String, Unreadable> {
        let parts: Option<Vec<&str>> = path
            .strip_prefix(&self.root)
            .ok()
            .and_then(|below| below.components().map(|part| part.as_os_str().to_str()).collect());
        let message = "its name is not text: it was never an object's".to_owned();
        parts.map(|parts| parts.join("/")).ok_or(Unreadable { key: path.display().to_string(), message })
    }
}

impl Source for Folder {
    fn list(&self, prefix: &str) -> Result<Vec<String>, Unreadable> {
        let folder = self.root.join(prefix.trim_end_matches('/'));
        let mut keys = Vec::new();
        if folder.exists() {
            self.walk(&folder, &mut keys)?;
        }
        Ok(keys)
    }

    fn read(&self, key: &str) -> Result<Vec<u8>, Unreadable> {
        // Keys come from listings, and from checkpoints that somebody may have forged.
        if !Path::new(key).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(Unreadable {
                key: key.to_owned(),
                message: "it leads out of the archive".to_owned(),
            });
        }
        self.tell();
        std::fs::read(self.root.join(key)).map_err(|error| unreadable(key, &error))
    }
}

fn unreadable(key: &str, error: &std::io::Error) -> Unreadable {
    Unreadable { key: key.to_owned(), message: error.to_string() }
}

/// Which days of the archive to copy; all of them, if nothing is named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Days {
    /// The first.
    pub from: Option<Date>,
    /// The last.
    pub to: Option<Date>,
}

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// New keys.
    pub keys: u64,
    /// New checkpoints.
    pub checkpoints: u64,
    /// New objects of records.
    pub events: u64,
}

/// The archive's bucket: what was named, or what the stack says.
///
/// # Errors
/// What was named is no bucket, or the stack does not say.
pub async fn bucket(reached: &Reached, named: Option<&str>) -> Result<String, Trouble> {
    match named {
        None => reached.output(BUCKET).await,
        Some(url) => of_url(url).map_err(Trouble::Refused),
    }
}

/// The bucket in `s3://<bucket>`.
fn of_url(url: &str) -> Result<String, String> {
    let bucket = url.strip_prefix("s3://").map(|rest| rest.trim_end_matches('/')).unwrap_or_default();
    let fits = (3..=63).contains(&bucket.len())
        && bucket
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte));
    if fits {
        Ok(bucket.to_owned())
    } else {
        Err(format!("`{url}` is not an archive: write `s3://<bucket>`"))
    }
}

/// Copies the archive into a folder. What is there already and the same is left alone.
///
/// Keys and checkpoints first: a checkpoint seals what was written before it, so whatever it names is still to come.
///
/// # Errors
/// [`Trouble`].
pub async fn copy(
    reached: &Reached,
    bucket: &str,
    to: &Path,
    days: Days,
    now: Timestamp,
) -> Result<Copied, Trouble> {
    let events = events_of(days, now)?;
    let checkpoints =
        if days == Days::default() { Vec::new() } else { checkpoints_of(reached, bucket, days).await? };
    for part in [KEYS, CHECKPOINTS, EVENTS] {
        let folder = to.join(part);
        std::fs::create_dir_all(&folder).map_err(Trouble::file("make", &folder))?;
    }
    let fetch = async |part: &'static str, what: &str, filters: &[String]| {
        let (from, to) = (format!("s3://{bucket}/{part}"), to.join(part).display().to_string());
        let mut arguments = vec!["s3".to_owned(), "sync".to_owned(), from, to, "--no-progress".to_owned()];
        arguments.extend_from_slice(filters);
        reached.download(what, arguments).await
    };
    say(format_args!("fetching from s3://{bucket}"));
    Ok(Copied {
        keys: fetch(KEYS, "keys", &[]).await?,
        checkpoints: fetch(CHECKPOINTS, "checkpoints", &checkpoints).await?,
        events: fetch(EVENTS, "records", &events).await?,
    })
}

/// The midnight at the beginning of a day, UTC.
///
/// # Errors
/// A day that no time is in.
pub fn midnight(day: Date) -> Result<Timestamp, Trouble> {
    let zoned = day.to_zoned(jiff::tz::TimeZone::UTC);
    zoned.map(|zoned| zoned.timestamp()).map_err(|error| Trouble::Refused(format!("{day}: {error}")))
}

/// The midnight at the end of a day, UTC.
///
/// # Errors
/// A day that no time is in.
pub fn end_of(day: Date) -> Result<Timestamp, Trouble> {
    midnight(day.tomorrow().map_err(|error| Trouble::Refused(format!("{day}: {error}")))?)
}

/// Filters for the checkpoints that belong to some days: from the last one that was written before the first day, so that
/// what is sealed from its beginning on is told by one, to the last one written before the end of the last day.
async fn checkpoints_of(reached: &Reached, bucket: &str, days: Days) -> Result<Vec<String>, Trouble> {
    let written = reached.list(bucket, CHECKPOINTS).await?;
    let mut numbers: Vec<(u64, Timestamp)> = Vec::new();
    for (key, at) in &written {
        let (Some(number), Ok(at)) = (checkpoint_number(key), at.parse::<Timestamp>()) else { continue };
        numbers.push((number, at));
    }
    numbers.sort_unstable();
    let until = days.to.map(end_of).transpose()?;
    let last = numbers
        .iter()
        .filter(|(_, at)| until.is_none_or(|until| *at < until))
        .map(|(number, _)| *number)
        .max();
    let Some(last) = last else { return Ok(vec!["--exclude".to_owned(), "*".to_owned()]) };
    let from = days.from.map(midnight).transpose()?;
    let before =
        from.and_then(|from| numbers.iter().filter(|(_, at)| *at < from).map(|(number, _)| *number).max());
    let mut filters = vec!["--exclude".to_owned(), "*".to_owned()];
    let mut add = |option: &str, patterns: Vec<String>| {
        filters.extend(patterns.into_iter().flat_map(|pattern| [option.to_owned(), pattern]));
    };
    add("--include", up_to(last));
    if let Some(earlier) = before.and_then(|before| before.checked_sub(1)) {
        add("--exclude", up_to(earlier));
    }
    Ok(filters)
}

/// Patterns of `aws s3` for the names of checkpoints up to a number: one for each digit that could be lower, and the number
/// itself.
fn up_to(number: u64) -> Vec<String> {
    let digits = format!("{number:010}");
    let lower = digits.char_indices().filter(|(_, digit)| *digit > '0').filter_map(|(place, digit)| {
        let below = char::from_digit(digit.to_digit(10)?.checked_sub(1)?, 10)?;
        Some(format!("{}[0-{below}]*", digits.get(..place)?))
    });
    lower.chain([format!("{digits}.json")]).collect()
}

/// Filters for the objects of some days.
fn events_of(days: Days, now: Timestamp) -> Result<Vec<String>, Trouble> {
    if days == Days::default() {
        return Ok(Vec::new());
    }
    // Without a first day: before there was any archive. Without a last one: tomorrow, if clocks differ.
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let from = days.from.unwrap_or(Date::constant(2020, 1, 1));
    let to = days.to.unwrap_or_else(|| today.tomorrow().unwrap_or(today));
    if to < from {
        return Err(Trouble::Refused(format!("{from} is after {to}: no day is between them")));
    }
    let mut filters = vec!["--exclude".to_owned(), "*".to_owned()];
    for pattern in day_patterns(from, to) {
        filters.extend(["--include".to_owned(), pattern]);
    }
    Ok(filters)
}

/// Patterns of `aws s3` for the folders of days: whole years and months by one each.
fn day_patterns(from: Date, to: Date) -> BTreeSet<String> {
    let mut patterns = BTreeSet::new();
    let mut day = from;
    while day <= to {
        let (year, month) = (day.last_of_year(), day.last_of_month());
        let last = if day == day.first_of_year() && year <= to {
            patterns.insert(day.strftime("day=%Y-*").to_string());
            year
        } else if day == day.first_of_month() && month <= to {
            patterns.insert(day.strftime("day=%Y-%m-*").to_string());
            month
        } else {
            patterns.insert(day.strftime("day=%Y-%m-%d/*").to_string());
            day
        };
        // The end of time: there is no day after it.
        let Ok(next) = last.checked_add(1.day()) else { break };
        day = next;
    }
    patterns
}

impl Reached {
    /// The objects below a prefix: key, and when it was written.
    pub(super) async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<(String, String)>, Trouble> {
        let arguments = ["s3api", "list-objects-v2", "--bucket", bucket, "--prefix", prefix]
            .into_iter()
            .chain(["--query", "Contents[].[Key,LastModified]"]);
        let answer = self.call("s3api list-objects-v2", arguments).await?;
        let pairs = answer.as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |pair: &Value, place: usize| pair.get(place).and_then(Value::as_str).map(str::to_owned);
        Ok(pairs.iter().filter_map(|pair| Some((text(pair, 0)?, text(pair, 1)?))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().expect("a day")
    }

    fn patterns(from: &str, to: &str) -> Vec<String> {
        day_patterns(day(from), day(to)).into_iter().collect()
    }

    #[test]
    fn whole_months_and_years_are_one_pattern_each() {
        assert_eq!(patterns("2026-11-21", "2026-11-21"), ["day=2026-11-21/*"]);
        assert_eq!(patterns("2026-10-01", "2026-12-31"), ["day=2026-10-*", "day=2026-11-*", "day=2026-12-*"]);
        assert_eq!(
            patterns("2025-12-31", "2027-02-01"),
            ["day=2025-12-31/*", "day=2026-*", "day=2027-01-*", "day=2027-02-01/*"]
        );
        assert_eq!(patterns("2020-01-01", "2021-01-01"), ["day=2020-*", "day=2021-01-01/*"]);
    }

    /// What `aws s3` makes of these patterns: Python's `fnmatch`, as far as they use it.
    fn matches(pattern: &str, name: &str) -> bool {
        let (mut pattern, mut name) = (pattern.chars(), name.chars());
        loop {
            match pattern.next() {
                None => return name.next().is_none(),
                Some('*') => return true,
                Some('[') => {
                    let range: String = pattern.by_ref().take_while(|c| *c != ']').collect();
                    let high = range.chars().last().expect("a digit");
                    if !name.next().is_some_and(|c| ('0'..=high).contains(&c)) {
                        return false;
                    }
                }
                Some(c) => {
                    if name.next() != Some(c) {
                        return false;
                    }
                }
            }
        }
    }

    #[test]
    fn a_checkpoint_is_matched_if_its_number_is_no_higher() {
        for limit in [0, 1, 9, 10, 99, 100, 101, 1_230, 8_760, 9_999_999_999] {
            let patterns = up_to(limit);
            for number in [
                0,
                1,
                2,
                8,
                9,
                10,
                11,
                98,
                99,
                100,
                101,
                102,
                1_229,
                1_230,
                1_231,
                8_760,
                8_761,
                9_999_999_999_u64,
            ] {
                let name = format!("{number:010}.json");
                let matched = patterns.iter().any(|pattern| matches(pattern, &name));
                assert_eq!(matched, number <= limit, "{name} up to {limit}: {patterns:?}");
            }
        }
    }

    #[test]
    fn an_archive_is_a_bucket() {
        for good in [
            "s3://curfew-archive-111122223333-eu-central-1",
            "s3://curfew-archive-111122223333-eu-central-1/",
        ] {
            assert_eq!(of_url(good).as_deref(), Ok("curfew-archive-111122223333-eu-central-1"));
        }
        for bad in ["", "curfew", "s3://", "s3://a", "s3://Bucket-x", "s3://bucket/events", "s3://--help me"]
        {
            assert!(of_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_outside_the_folder_is_read() {
        let root = std::env::temp_dir();
        let folder = Folder { root, read: Cell::new(0), told_at: Cell::new(Timestamp::MAX) };
        for key in ["../x", "/etc/hosts", "events/../../x", "./x", ""] {
            let refused = folder.read(key).expect_err("not read");
            assert!(!refused.message.contains("No such file"), "{key}: {refused}");
        }
    }
}
