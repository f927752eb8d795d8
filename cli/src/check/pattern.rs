//! Patterns as IAM reads them: `*` stands for any characters, `?` for one.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>

/// Whether some text is matched by both patterns.
pub(crate) fn overlap(one: &str, other: &str) -> bool {
    align(one, other, |step| match (step.one, step.other) {
        // A star stands for nothing more, or for one more of the other's.
        (Some('*'), _) | (_, Some('*')) => step.without_one || step.without_other,
        (Some(a), Some(b)) => (a == b || a == '?' || b == '?') && step.without_both,
        (None, _) | (_, None) => false,
    })
}

/// Whether every text that `inner` matches is matched by `outer`. Never true where it is not; where stars can stand for
/// the same in more than one way, it may miss that it is.
pub(crate) fn covers(outer: &str, inner: &str) -> bool {
    // The inner pattern's stars are taken for characters, which only the outer's stars can stand for.
    align(outer, inner, |step| match (step.one, step.other) {
        (Some('*'), _) => step.without_one || step.without_other,
        (Some('?'), Some(b)) => b != '*' && step.without_both,
        (Some(a), Some(b)) => a == b && step.without_both,
        (None, _) | (_, None) => false,
    })
}

/// The last characters of two beginnings of patterns, and which shorter beginnings go together.
struct Step {
    one: Option<char>,
    other: Option<char>,
    without_one: bool,
    without_other: bool,
    without_both: bool,
}

/// Whether two patterns go together, by whether their beginnings do; nothing goes with nothing.
fn align(one: &str, other: &str, fits: impl Fn(Step) -> bool) -> bool {
    let other: Vec<char> = other.chars().collect();
    // For each beginning of `other`, whether it goes with the beginning of `one` that was come to.
    let mut row: Vec<bool> = Vec::new();
    for a in std::iter::once(None).chain(one.chars().map(Some)) {
        let mut next: Vec<bool> = Vec::with_capacity(other.len().saturating_add(1));
        for b in std::iter::once(None).chain(other.iter().copied().map(Some)) {
            let j = next.len();
            let step = Step {
                one: a,
                other: b,
                without_one: row.get(j).copied().unwrap_or(false),
                without_other: next.last().copied().unwrap_or(false),
                without_both: j.checked_sub(1).and_then(|j| row.get(j)).copied().unwrap_or(false),
            };
            next.push((a.is_none() && b.is_none()) || fits(step));
        }
        row = next;
    }
    row.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_overlap_where_a_text_matches_both() {
        for (one, other, both) in [
            ("a", "a", true),
            ("a", "b", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("acme-*", "acme-dev-*", true),
            ("acme/*", "acme-dev/*", false),
            ("data-acme", "data-acme-dev", false),
            ("*acme*", "*dev*", true),
            ("a?c", "ab*", true),
            ("a?", "abc", false),
            ("a*b", "b*a", false),
            ("a*z", "a*yz", true),
            ("arn:aws:s3:::*", "arn:aws:s3:::x/*", true),
        ] {
            assert_eq!(overlap(one, other), both, "{one} {other}");
            assert_eq!(overlap(other, one), both, "{other} {one}");
        }
    }

    #[test]
    fn a_pattern_covers_what_it_matches_all_of() {
        for (outer, inner, all) in [
            ("*", "x*", true),
            ("x*", "*", false),
            ("a?", "a*", false),
            ("a*", "a?", true),
            ("a??*", "a?*", false),
            ("s3:*", "s3:Get*", true),
            ("s3:Get*", "s3:GetObject", true),
            ("s3:Get*", "s3:*", false),
            ("a*c", "abc", true),
            ("a*c", "a*bc", true),
            ("a?c", "abc", true),
            ("a", "ab", false),
            ("", "", true),
        ] {
            assert_eq!(covers(outer, inner), all, "{outer} {inner}");
        }
    }
}
