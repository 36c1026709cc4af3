//! Access lists in Wazo's language: patterns of dotted words, and whether they grant what an event or a request demands. Says nothing
//! about who has which list.

/// Patterns that one list holds at most; so long each at most, in bytes. A list beyond them is refused where it is given.
pub const PATTERNS_MAX: usize = 256;
pub const PATTERN_BYTES_MAX: usize = 512;

/// A list for one user and one session, ready to be asked.
///
/// ```
/// use campanile::domain::acl::Acl;
/// let acl = Acl::new(["events.calendars.me.#", "!events.calendars.me.secret.#"], "u-1", "s-1");
/// assert!(acl.allows(Some("events.calendars.u-1.work.sync")));
/// assert!(!acl.allows(Some("events.calendars.u-1.secret.sync")));
/// assert!(acl.allows(None));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Acl {
    grants: Vec<Pattern>,
    denials: Vec<Pattern>,
}

impl Acl {
    /// Reads a list. `me` and `my_session` stand for these two as well as for themselves.
    pub fn new<'a>(list: impl IntoIterator<Item = &'a str>, user: &str, session: &str) -> Acl {
        let mut acl = Acl::default();
        for text in list {
            // Only the first mark negates: `!!a` denies what is called `!a`.
            match text.strip_prefix('!') {
                Some(denied) => acl.denials.push(Pattern::new(denied, user, session)),
                None => acl.grants.push(Pattern::new(text, user, session)),
            }
        }
        acl
    }

    /// Whether it grants what is demanded; what demands nothing is granted to everybody. A denial wins over every grant.
    pub fn allows(&self, required: Option<&str>) -> bool {
        let Some(required) = required else { return true };
        !self.denials.iter().any(|pattern| pattern.fits(required))
            && self.grants.iter().any(|pattern| pattern.fits(required))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    /// `*`: any run of characters but `.` and `#`.
    Star,
    /// `#`: any run of characters but line breaks.
    Hash,
    /// A word that stands for several.
    Either(Vec<Box<str>>),
}

#[derive(Clone, Debug)]
struct Pattern(Vec<Part>);

impl Pattern {
    fn new(text: &str, user: &str, session: &str) -> Pattern {
        let mut parts = Vec::new();
        for (at, word) in text.split('.').enumerate() {
            if at > 0 {
                push_text(&mut parts, ".");
            }
            let other = match word {
                "me" => user,
                "my_session" => session,
                // Who may edit may update; not the other way round.
                "edit" => "update",
                _ => {
                    push_word(&mut parts, word);
                    continue;
                }
            };
            parts.push(Part::Either(vec![word.into(), other.into()]));
        }
        Pattern(parts)
    }

    /// Whether the whole of `text` is what this describes. The text itself is never a pattern. Costs at most its length for each part:
    /// all ways through are followed at once.
    fn fits(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        // The places up to which the text may have been read.
        let mut here = vec![0];
        for part in &self.0 {
            here = match part {
                Part::Text(word) => after(bytes, &here, word),
                Part::Either(words) => {
                    let mut all: Vec<usize> = words.iter().flat_map(|word| after(bytes, &here, word)).collect();
                    all.sort_unstable();
                    all.dedup();
                    all
                }
                Part::Star => run(bytes, &here, |byte| !matches!(byte, b'.' | b'#')),
                Part::Hash => run(bytes, &here, |byte| byte != b'\n'),
            };
            if here.is_empty() {
                return false;
            }
        }
        here.last() == Some(&bytes.len())
    }
}

fn push_word(parts: &mut Vec<Part>, word: &str) {
    let mut rest = word;
    while let Some(at) = rest.find(['*', '#']) {
        push_text(parts, &rest[..at]);
        let run = if rest[at..].starts_with('*') { Part::Star } else { Part::Hash };
        // Two of a kind say no more than one.
        if parts.last() != Some(&run) {
            parts.push(run);
        }
        rest = &rest[at + 1..];
    }
    push_text(parts, rest);
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Text(before)) => *before = format!("{before}{text}").into(),
        _ => parts.push(Part::Text(text.into())),
    }
}

/// The places behind `word` for those before it. Ascending, as they came.
fn after(bytes: &[u8], here: &[usize], word: &str) -> Vec<usize> {
    let starts = |at: &&usize| bytes.get(**at..).is_some_and(|rest| rest.starts_with(word.as_bytes()));
    here.iter().filter(starts).map(|at| at + word.len()).collect()
}

/// The places to which a run of such bytes leads. Ascending. Runs end between characters because all that ends one is ASCII, and a place
/// within a character fits no text that follows.
fn run(bytes: &[u8], here: &[usize], takes: impl Fn(u8) -> bool) -> Vec<usize> {
    let mut all: Vec<usize> = Vec::new();
    for from in here {
        if all.last().is_some_and(|last| last >= from) {
            continue;
        }
        all.push(*from);
        for (at, byte) in bytes.iter().enumerate().skip(*from) {
            if !takes(*byte) {
                break;
            }
            all.push(at + 1);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_grant_what_the_real_service_grants() {
        #[rustfmt::skip]
        let rows: &[(&[&str], &[&str], &[&str])] = &[
            (&["#"], &["", "a.b", "!a"], &[]),
            (&[], &[], &["a", ""]),
            (&["*"], &["a", ""], &["a.b"]),
            (&["a.*"], &["a.", "a.b"], &["a.b.c", "a"]),
            (&["a.#"], &["a.", "a.b.c", "a.*", "a.#"], &["a"]),
            (&["a.*.c"], &["a.b.c", "a..c", "a.*.c"], &["a.#.c"]),
            (&["a.pre*"], &["a.pre", "a.prefix"], &["a.pre.x"]),
            (&["a.#b"], &["a.b", "a.xb"], &["a.x"]),
            (&["foo.bar.#.titi"], &["foo.bar.toto.tata.titi", "foo.bar.*.titi", "foo.bar.#.titi"], &["foo.bar.toto"]),
            (&["foo.#.me"], &["foo.bar.me", "foo.bar.123", "foo.*.123"], &["foo.*.456", "foo.bar.me.titi"]),
            (&["foo.#.me.bar"], &["foo.bar.123.bar"], &["foo.bar.123", "foo.#.notme.bar"]),
            (&["me"], &["123", "me"], &["a.me"]),
            (&["x.meow"], &["x.meow"], &["x.123ow"]),
            (&["x.my_session"], &["x.sess", "x.my_session"], &["x.o"]),
            (&["x.edit"], &["x.edit", "x.update"], &[]),
            (&["x.update"], &["x.update"], &["x.edit"]),
            (&["foo.bar.toto"], &["foo.bar.toto"], &["foo.bar.*", "foo.bar.#"]),
            (&["foo.*.bar", "!foo.123.bar"], &["foo.me.bar"], &["foo.123.bar"]),
            (&["foo.me.bar", "!foo.me.bar", "foo.me.bar"], &[], &["foo.me.bar"]),
            (&["foo.#", "!foo.me.bar.#", "foo.me.bar.123"], &["foo.x"], &["foo.me.bar.123"]),
            (&["#", "!a.b.#"], &["a.b"], &["a.b.c"]),
            (&["!*.bar", "foo.bar"], &[], &["foo.bar"]),
            (&["!!a", "#"], &["a"], &["!a"]),
            (&["A.b"], &["A.b"], &["a.b"]),
            (&["a+b.(c)"], &["a+b.(c)"], &["aab.c", "a+b.c"]),
            (&["**"], &["a", ""], &["a.b"]),
            (&["##"], &["", "a.b"], &["a\nb"]),
            (&["*é*"], &["é", "xéx"], &["e"]),
        ];
        for (list, granted, denied) in rows {
            let acl = Acl::new(list.iter().copied(), "123", "sess");
            assert!(acl.allows(None), "{list:?}");
            for required in *granted {
                assert!(acl.allows(Some(required)), "{list:?} {required:?}");
            }
            for required in *denied {
                assert!(!acl.allows(Some(required)), "{list:?} {required:?}");
            }
        }
    }

    #[test]
    fn a_user_id_is_no_pattern() {
        let acl = Acl::new(["x.me"], "*", "#");
        assert!(acl.allows(Some("x.*")) && !acl.allows(Some("x.y")));
    }

    #[test]
    fn a_costly_pattern_is_answered_soon() {
        let pattern = "#a*".repeat(PATTERN_BYTES_MAX / 3);
        let acl = Acl::new([pattern.as_str()], "u", "s");
        assert!(!acl.allows(Some(&"a.".repeat(200))));
    }
}
