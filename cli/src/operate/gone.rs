//! What an earlier copy has and the archive has no longer: a delete marker hides an object from whoever copies anew, and the
//! copy that was made before would hide that.
//!
//! Must not know: whether what is there is whole.

use std::collections::BTreeSet;
use std::path::Path;

use curfew_audit::archive::{CHECKPOINTS, EVENTS, KEYS, archived_at, checkpoint_number};
use curfew_audit::verify::Source as _;

use super::archive::Folder;
use super::reach::Reached;
use super::trouble::Trouble;

/// The parts of an archive.
const PARTS: [&str; 3] = [KEYS, CHECKPOINTS, EVENTS];

/// The names in a folder, before it is copied into.
#[derive(Debug, Default)]
pub struct Before(Vec<String>);

impl Before {
    /// What is there.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn of(folder: &Path) -> Result<Self, Trouble> {
        // A new one.
        let Ok(folder) = Folder::open(folder) else { return Ok(Self::default()) };
        let mut keys = Vec::new();
        for part in PARTS {
            keys.extend(folder.list(part).map_err(|error| Trouble::Refused(error.to_string()))?);
        }
        Ok(Self(keys))
    }

    /// Which of them the bucket does not list any more.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn gone(self, reached: &Reached, bucket: &str) -> Result<Gone, Trouble> {
        let mut gone = Gone::default();
        for part in PARTS {
            let before: BTreeSet<String> =
                self.0.iter().filter(|key| key.starts_with(part)).cloned().collect();
            if !before.is_empty() {
                let listed = reached.list(bucket, part).await?;
                gone.compare(before, &listed.into_iter().map(|(key, _)| key).collect());
            }
        }
        Ok(gone)
    }
}

/// What is not in the archive any more.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// Somewhere in the archive, or at its end: no retention takes that.
    pub hidden: Vec<String>,
    /// At the archive's beginning: it may have expired.
    pub at_the_beginning: usize,
}

impl Gone {
    fn compare(&mut self, before: BTreeSet<String>, listed: &BTreeSet<String>) {
        let time = listed.iter().filter_map(|key| archived_at(key)).min();
        let number = listed.iter().filter_map(|key| checkpoint_number(key)).min();
        for key in before.difference(listed) {
            let is_before = match (archived_at(key), checkpoint_number(key)) {
                (Some(at), _) => time.is_some_and(|time| at < time),
                (None, Some(own)) => number.is_some_and(|number| own < number),
                (None, None) => false,
            };
            if is_before {
                self.at_the_beginning += 1;
            } else {
                self.hidden.push(key.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(before: &[&str], listed: &[&str]) -> (Vec<String>, usize) {
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<String>>();
        let mut gone = Gone::default();
        gone.compare(keys(before), &keys(listed));
        (gone.hidden, gone.at_the_beginning)
    }

    #[test]
    fn only_the_beginning_can_have_expired() {
        let [one, two, three] = ["21T10", "21T11", "22T09"].map(|time| {
            let day = time.split('T').next().unwrap();
            format!("events/day=2026-11-{day}/2026-11-{time}:00:00.000Z-0123456789abcdef.jsonl")
        });
        let all = [one.as_str(), two.as_str(), three.as_str()];
        assert_eq!(gone(&all, &all), (vec![], 0));
        assert_eq!(gone(&all, &[&two, &three]), (vec![], 1));
        assert_eq!(gone(&all, &[&one, &three]), (vec![two.clone()], 0));
        assert_eq!(gone(&all, &[&one, &two]), (vec![three.clone()], 0));
        assert_eq!(gone(&all, &[]).0.len(), 3, "nothing is left");
        let [one, two] = ["checkpoints/0000000001.json", "checkpoints/0000000002.json"];
        assert_eq!(gone(&[one, two], &[two]), (vec![], 1));
        assert_eq!(gone(&[one, two], &[one]), (vec![two.to_owned()], 0));
        assert_eq!(gone(&["keys/a.pem"], &["keys/b.pem"]), (vec!["keys/a.pem".to_owned()], 0));
    }
}
