//! Every kind of tampering: what was done to the sample, and what must be named first. Here with records and objects;
//! with what seals them, in `unsealing.rs`.

use curfew_audit::archive::{archived_at, checkpoint_key, events_key, lines};
use curfew_audit::checkpoint::Signed;
use curfew_audit::record::read_line;
use curfew_audit::verify::{Code, Expectations};
use curfew_domain::event::{Actor, Event, Fact};

use super::builder::{Archive, Story, line_of, moment};
use super::sample::{Sample, id, origin, sample, subject};

/// A tampering.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) archive: Archive,
    pub(crate) expected: Expectations,
    pub(crate) code: Code,
    pub(crate) object: Option<String>,
    pub(crate) record: Option<String>,
}

impl Case {
    pub(crate) fn new(name: &'static str, code: Code, sample: Sample) -> Self {
        let mut expected = sample.archive.with_key();
        expected.as_of = Some(moment("02:40:00"));
        Self { name, archive: sample.archive, expected, code, object: None, record: None }
    }

    pub(crate) fn at(self, object: &str) -> Self {
        Self { object: Some(object.to_owned()), ..self }
    }

    pub(crate) fn checkpoint(self, number: u64) -> Self {
        Self { object: Some(checkpoint_key(number)), ..self }
    }

    pub(crate) fn event(self, letter: char, seq: u32) -> Self {
        Self { record: Some(format!("{}#{seq:06}", id(letter))), ..self }
    }

    /// What must be named first: code, object and record.
    pub(crate) fn named(&self) -> (String, Option<String>, Option<String>) {
        (self.code.to_string(), self.object.clone(), self.record.clone())
    }

    pub(crate) fn expecting(self, change: impl FnOnce(&mut Expectations)) -> Self {
        let mut expected = self.expected.clone();
        change(&mut expected);
        Self { expected, ..self }
    }
}

/// The sample after `tamper`.
pub(crate) fn after(tamper: impl FnOnce(&mut Archive, &[String])) -> Sample {
    let mut sample = sample();
    let keys = sample.keys.clone();
    tamper(&mut sample.archive, &keys);
    sample
}

pub(crate) fn lines_of(archive: &Archive, key: &str) -> Vec<String> {
    lines(&archive.objects[key]).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect()
}

fn put_lines(archive: &mut Archive, key: &str, lines: &[String]) {
    let body: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    archive.objects.insert(key.to_owned(), body.into_bytes());
}

pub(crate) fn edit(archive: &mut Archive, key: &str, change: impl FnOnce(&mut Vec<String>)) {
    let mut lines = lines_of(archive, key);
    let before = lines.clone();
    change(&mut lines);
    assert_ne!(lines, before, "nothing was edited");
    put_lines(archive, key, &lines);
}

/// As [`edit`], with the name that goes with what is in it now.
pub(crate) fn edit_and_rename(
    archive: &mut Archive,
    key: &str,
    change: impl FnOnce(&mut Vec<String>),
) -> String {
    edit(archive, key, change);
    let body = archive.objects.remove(key).unwrap();
    let renamed = events_key(archived_at(key).unwrap(), &body);
    archive.objects.insert(renamed.clone(), body);
    renamed
}

/// A line whose event is another one, with all digests of it made anew.
pub(crate) fn forged(line: &str, change: impl FnOnce(&mut Event)) -> String {
    let mut event = read_line(line.as_bytes()).unwrap().event().unwrap().unwrap();
    change(&mut event);
    line_of(&origin(), &subject(), &event)
}

pub(crate) fn reviewed(note: &str) -> Fact {
    Fact::Reviewed { note: note.to_owned() }
}

/// A line of a grant that never was.
fn invented() -> String {
    Story::new(id('f'), subject(), origin()).next("22:50:00", Actor::Sweep, reviewed("invented"))
}

pub(crate) fn checkpoint(archive: &Archive, number: u64) -> Signed {
    Signed::from_bytes(&archive.objects[&checkpoint_key(number)]).unwrap()
}

pub(crate) fn put_checkpoint(archive: &mut Archive, number: u64, signed: &Signed) {
    archive.objects.insert(checkpoint_key(number), signed.to_bytes());
}

/// Rewrites a grant's chain from one event on, in the objects that hold it, under the names that they have.
fn rewrite_chain(archive: &mut Archive, keys: &[String], letter: char, from: u32) {
    let (grant_id, mut head) = (id(letter), None);
    let mut all: Vec<(Event, String, usize)> = Vec::new();
    for key in keys {
        for (n, line) in lines_of(archive, key).iter().enumerate() {
            let event = read_line(line.as_bytes()).unwrap().event().unwrap();
            all.extend(event.filter(|event| event.grant_id == grant_id).map(|event| (event, key.clone(), n)));
        }
    }
    all.sort_by_key(|(event, ..)| event.seq);
    for (mut event, key, n) in all {
        if event.seq == from {
            event.fact = reviewed("nothing happened");
        }
        if let Some(head) = head.take().filter(|_| event.seq > from) {
            event.prev = head;
        }
        head = Some(event.digest());
        let line = line_of(&origin(), &subject(), &event);
        let mut lines = lines_of(archive, &key);
        lines[n] = line;
        put_lines(archive, &key, &lines);
    }
}

/// All of them.
pub(crate) fn table() -> Vec<Case> {
    let mut cases = records();
    cases.extend(objects());
    cases.extend(super::unsealing::all());
    cases
}

fn records() -> Vec<Case> {
    let k = sample().keys;
    let case = |name, code, tamper: fn(&mut Archive, &[String])| Case::new(name, code, after(tamper));
    vec![
        case("a word for people is changed", Code::RecordChanged, |archive, k| {
            edit(archive, &k[2], |lines| lines[2] = lines[2].replace("role ops", "role dev"));
        })
        .at(&k[2])
        .event('c', 1),
        case("evidence is changed", Code::RecordChanged, |archive, k| {
            edit(archive, &k[2], |lines| lines[3] = lines[3].replace("four", "none"));
        })
        .at(&k[2])
        .event('c', 2),
        case("evidence is changed, and its hash made anew", Code::RecordChanged, |archive, k| {
            edit(archive, &k[2], |lines| {
                lines[3] = forged(&lines[3], |event| event.fact = reviewed("none"));
            });
        })
        .at(&k[2])
        .event('c', 2),
        case("a line is no JSON any more", Code::RecordChanged, |archive, k| {
            edit(archive, &k[2], |lines| lines[2] = lines[2].replacen('{', "(", 1));
        })
        .at(&k[2])
        .event('c', 1),
        case("a record is dropped", Code::RecordRemoved, |archive, k| {
            edit(archive, &k[2], |lines| drop(lines.remove(2)));
        })
        .at(&k[2])
        .event('c', 1),
        case("the last record of an object is dropped", Code::RecordRemoved, |archive, k| {
            edit(archive, &k[1], |lines| drop(lines.pop()));
        })
        .at(&k[1])
        .event('a', 3),
        case("all of a grant is dropped", Code::RecordRemoved, |archive, k| {
            for key in [&k[2], &k[3], &k[6]] {
                edit(archive, key, |lines| lines.retain(|line| !line.contains(id('c').as_str())));
            }
        })
        .at(&k[2])
        .event('c', 1),
        case("lines are reordered", Code::RecordsReordered, |archive, k| {
            edit(archive, &k[3], |lines| lines.swap(0, 1));
        })
        .at(&k[3])
        .event('c', 4),
        case("a record is put into a sealed object", Code::RecordInserted, |archive, k| {
            edit(archive, &k[2], |lines| lines.insert(1, invented()));
        })
        .at(&k[2])
        .event('f', 1),
        case("a record is put at the end of a sealed object", Code::RecordInserted, |archive, k| {
            edit(archive, &k[2], |lines| lines.push(invented()));
        })
        .at(&k[2])
        .event('f', 1),
        case("a record is put twice into a sealed object", Code::RecordInserted, |archive, k| {
            edit(archive, &k[2], |lines| lines.push(lines[3].clone()));
        })
        .at(&k[2])
        .event('c', 2),
        case("a chain is rewritten from the middle on", Code::RecordChanged, |archive, k| {
            rewrite_chain(archive, k, 'c', 2);
        })
        .at(&k[2])
        .event('c', 2),
        case("two events exchange their numbers", Code::RecordChanged, |archive, k| {
            edit(archive, &k[3], |lines| {
                let mut swapped =
                    [forged(&lines[1], |event| event.seq = 3), forged(&lines[2], |event| event.seq = 4)];
                swapped.reverse();
                lines.splice(1.., swapped);
            });
        })
        .at(&k[3])
        .event('c', 4),
    ]
}

fn objects() -> Vec<Case> {
    let k = sample().keys;
    let case = |name, code, tamper: fn(&mut Archive, &[String])| Case::new(name, code, after(tamper));
    let dated = |name: &str, key: &str| key.replace("day=2026-11-21", name);
    let mut cases = vec![
        case("an object is dropped", Code::ObjectRemoved, |archive, k| drop(archive.objects.remove(&k[2])))
            .at(&k[2])
            .event('a', 4),
        case("one of two equal objects is dropped", Code::ObjectRemoved, |archive, k| {
            archive.objects.remove(&k[5]);
        })
        .at(&k[5])
        .event('a', 5),
        case("all objects of a day are dropped", Code::ObjectRemoved, |archive, k| {
            k[..4].iter().for_each(|key| drop(archive.objects.remove(key)));
        })
        .at(&k[0])
        .event('a', 1),
        case("an object is emptied", Code::RecordRemoved, |archive, k| {
            archive.objects.insert(k[2].clone(), Vec::new());
        })
        .at(&k[2])
        .event('a', 4),
        case("an object is cut off in a line", Code::RecordChanged, |archive, k| {
            let body = archive.objects.get_mut(&k[2]).unwrap();
            body.truncate(body.len() - 100);
        })
        .at(&k[2])
        .event('c', 2),
        case("an object's last byte is cut off", Code::ObjectChanged, |archive, k| {
            assert_eq!(archive.objects.get_mut(&k[2]).unwrap().pop(), Some(b'\n'));
        })
        .at(&k[2]),
        case("two objects are swapped", Code::ObjectMoved, |archive, k| {
            let [one, other] = [&k[2], &k[3]].map(|key| archive.objects[key].clone());
            archive.objects.insert(k[2].clone(), other);
            archive.objects.insert(k[3].clone(), one);
        })
        .at(&k[2])
        .event('a', 4),
        case("an object is moved out of its period", Code::ObjectMoved, |archive, k| {
            let body = archive.objects.remove(&k[3]).unwrap();
            archive.objects.insert(events_key(moment("02:15:00"), &body), body);
        })
        .at(&k[3])
        .event('b', 3),
        case("an object is put into a sealed period", Code::ObjectInserted, |archive, _| {
            archive.put("22:50:01", &[invented()]);
        })
        .event('f', 1),
        case("a duplicate is put into a sealed period", Code::ObjectInserted, |archive, k| {
            let lines = lines_of(archive, &k[0]);
            archive.put("22:50:01", &lines);
        })
        .event('a', 1),
        case("something else is put among the objects", Code::ObjectInserted, |archive, _| {
            archive.objects.insert("events/notes.txt".to_owned(), b"hello\n".to_vec());
        })
        .at("events/notes.txt"),
    ];
    // Under the day's name that it does not have.
    let moved = after(|archive, k| {
        let body = archive.objects.remove(&k[3]).unwrap();
        archive.objects.insert(dated("day=2026-11-22", &k[3]), body);
    });
    cases.push(
        Case::new("an object is moved to another day", Code::ObjectMoved, moved).at(&k[3]).event('b', 3),
    );
    for case in &mut cases {
        if case.object.is_none() {
            let there = case.archive.objects.keys().find(|key| key.contains("T22:50:01"));
            case.object = there.cloned();
        }
    }
    cases
}
