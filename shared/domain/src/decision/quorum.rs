//! Quorums: whether the people who approved are those, and as many different ones, as a role takes.
//!
//! Counted on human beings: somebody who is in two groups stands for one of them, whichever helps. Knows no
//! policies; guardrails ask what is missing.

use std::collections::BTreeSet;

use crate::catalog::{Person, Quorum};

/// What is missing from what `approvals` ask for, if these people approved: each group with how many more it takes.
/// A role that asks for nothing takes one approval of anybody.
///
/// Exact: if there is any way to have everybody stand for one place, nothing is missing.
#[must_use]
pub fn missing_approvals(approvals: &[Quorum], approvers: &[&Person]) -> Vec<Quorum> {
    let anybody = [Quorum { group: None, count: 1 }];
    let approvals = if approvals.is_empty() { &anybody[..] } else { approvals };
    let people: BTreeSet<_> = approvers.iter().map(|person| person.email()).collect();
    let people: Vec<&Person> = approvers
        .iter()
        .copied()
        .filter({
            let mut left = people;
            move |person| left.remove(person.email())
        })
        .collect();
    let mut seats = Seats { people: &people, taken: vec![None; people.len()], places: Vec::new() };
    let mut missing: Vec<Quorum> = Vec::new();
    for quorum in approvals {
        let mut left = quorum.count;
        for _ in 0..quorum.count {
            seats.places.push(quorum);
            let place = seats.places.len().saturating_sub(1);
            if seats.fill(place, &mut vec![false; people.len()]) {
                left = left.saturating_sub(1);
            }
        }
        if left > 0 {
            missing.push(Quorum { group: quorum.group.clone(), count: left });
        }
    }
    missing
}

/// A matching of people to places, grown by augmenting paths (Kuhn's algorithm): a place takes a person whose own
/// place can be filled by somebody else.
struct Seats<'a> {
    people: &'a [&'a Person],
    /// The place that each person stands for.
    taken: Vec<Option<usize>>,
    places: Vec<&'a Quorum>,
}

impl Seats<'_> {
    fn fill(&mut self, place: usize, tried: &mut [bool]) -> bool {
        let Some(quorum) = self.places.get(place).copied() else { return false };
        for (index, person) in self.people.iter().enumerate() {
            let fits = quorum.group.as_ref().is_none_or(|group| person.groups().contains(group));
            let Some(seen) = tried.get_mut(index).filter(|seen| fits && !**seen) else { continue };
            *seen = true;
            let free = match self.taken.get(index).copied().flatten() {
                None => true,
                Some(other) => self.fill(other, tried),
            };
            if let Some(taken) = self.taken.get_mut(index).filter(|_| free) {
                *taken = Some(place);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, CatalogFile};
    use crate::ids::{Email, GroupName};

    const PEOPLE: [(&str, &[&str]); 5] = [
        ("ann", &["managers"]),
        ("bob", &["security"]),
        ("cid", &["managers", "security"]),
        ("dee", &["security"]),
        ("eve", &[]),
    ];

    fn catalog() -> Catalog {
        let text: String = PEOPLE
            .iter()
            .map(|(name, groups)| match groups.is_empty() {
                true => format!("[person.\"{name}@example.com\"]\n"),
                false => format!("[person.\"{name}@example.com\"]\ngroups = {groups:?}\n"),
            })
            .collect();
        Catalog::parse(&[CatalogFile { name: "people.toml".to_owned(), text }]).unwrap()
    }

    fn wanted(list: &[(&str, usize)]) -> Vec<Quorum> {
        list.iter()
            .map(|(group, count)| Quorum {
                group: (*group != "anybody").then(|| GroupName::new(*group).unwrap()),
                count: *count,
            })
            .collect()
    }

    fn missing(list: &[(&str, usize)], who: &[&str]) -> Vec<(String, usize)> {
        let catalog = catalog();
        let person =
            |name: &&str| catalog.person(&Email::new(&format!("{name}@example.com")).unwrap()).unwrap();
        let people: Vec<&Person> = who.iter().map(person).collect();
        missing_approvals(&wanted(list), &people)
            .into_iter()
            .map(|quorum| {
                (quorum.group.map_or("anybody".to_owned(), |group| group.to_string()), quorum.count)
            })
            .collect()
    }

    #[test]
    fn people_are_counted_and_not_approvals() {
        let both = [("managers", 1), ("security", 1)];
        for (list, who, left) in [
            (&[][..], &["eve"][..], vec![]),
            (&[], &[], vec![("anybody", 1)]),
            (&both, &["ann", "bob"], vec![]),
            (&both, &["ann", "cid"], vec![]),
            (&both, &["cid", "bob"], vec![]),
            // One human being is not two, whatever groups they are in.
            (&both, &["cid"], vec![("security", 1)]),
            (&both, &["cid", "cid"], vec![("security", 1)]),
            (&both, &["cid", "eve"], vec![("security", 1)]),
            (&both, &["eve"], vec![("managers", 1), ("security", 1)]),
            (&[("security", 2)], &["bob", "dee"], vec![]),
            (&[("security", 2)], &["bob", "bob"], vec![("security", 1)]),
            (&[("security", 2), ("managers", 1)], &["cid", "bob", "dee"], vec![]),
            (&[("security", 2), ("managers", 1)], &["cid", "bob", "ann"], vec![]),
            (&[("security", 2), ("managers", 1)], &["bob", "dee", "eve"], vec![("managers", 1)]),
            (&[("anybody", 2), ("managers", 1)], &["ann", "eve", "bob"], vec![]),
            (&[("anybody", 2), ("managers", 1)], &["ann", "eve"], vec![("managers", 1)]),
        ] {
            let left: Vec<(String, usize)> =
                left.into_iter().map(|(group, n)| (group.to_owned(), n)).collect();
            assert_eq!(missing(list, who), left, "{list:?} by {who:?}");
        }
    }

    #[test]
    fn nothing_is_missing_exactly_if_everybody_can_stand_for_one_place() {
        let lists: [&[(&str, usize)]; 6] = [
            &[("managers", 1), ("security", 1)],
            &[("security", 2)],
            &[("security", 2), ("managers", 1)],
            &[("managers", 2)],
            &[("anybody", 1), ("security", 1)],
            &[("anybody", 3)],
        ];
        let mut outcomes = BTreeSet::new();
        for list in lists {
            for mask in 0_u32..1 << PEOPLE.len() {
                let who: Vec<usize> = (0..PEOPLE.len()).filter(|n| mask & (1 << n) != 0).collect();
                let places: Vec<&str> =
                    list.iter().flat_map(|(group, count)| std::iter::repeat_n(*group, *count)).collect();
                let possible = assignable(&places, &who);
                let names: Vec<&str> = who.iter().map(|n| PEOPLE[*n].0).collect();
                assert_eq!(missing(list, &names).is_empty(), possible, "{list:?} by {names:?}");
                outcomes.insert(possible);
            }
        }
        assert_eq!(outcomes.len(), 2);
    }

    /// By trying every assignment.
    fn assignable(places: &[&str], who: &[usize]) -> bool {
        let Some((place, rest)) = places.split_first() else { return true };
        who.iter().any(|n| {
            let left: Vec<usize> = who.iter().copied().filter(|other| other != n).collect();
            (*place == "anybody" || PEOPLE[*n].1.contains(place)) && assignable(rest, &left)
        })
    }
}
