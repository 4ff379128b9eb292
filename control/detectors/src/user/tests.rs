//! Rules of users, from the pattern to what a scan says.

use std::sync::LazyLock;

use gatehold_detect::{Context, Kind, Pack, Parts, Scan, Verdict, scan};
use proptest::prelude::*;

use super::with_rules;
use crate::{RuleRole, UserRule};

/// A pack that knows nothing, and flags from log odds of 2 on.
static PLAIN: LazyLock<Pack> = LazyLock::new(|| {
    Pack::assemble(Parts {
        windows: [60; 3],
        fold: crate::fold(),
        thresholds: [2000; 3],
        ..Parts::default()
    })
    .unwrap()
});

/// The rules of the properties.
static RULES: LazyLock<Pack> = LazyLock::new(|| {
    pack(&[
        secret("badge", r"\bEMP-[0-9]{6}\b"),
        finding("as", "a b+ a", 3.0),
        finding("end", "b$", 1.0),
    ])
});

/// A pack that knows nothing but these rules.
fn pack(rules: &[UserRule]) -> Pack {
    let pack = with_rules(PLAIN.clone(), rules).unwrap();
    // What is pushed is what is loaded.
    let loaded = Pack::load(&pack.to_bytes()).unwrap();
    assert_eq!(loaded.to_bytes(), pack.to_bytes());
    loaded
}

fn finding(name: &str, pattern: &str, weight: f64) -> UserRule {
    let role = RuleRole::Finding { weight };
    UserRule {
        name: name.to_owned(),
        pattern: pattern.to_owned(),
        role,
    }
}

fn secret(name: &str, pattern: &str) -> UserRule {
    let role = RuleRole::Secret { personal: false };
    UserRule {
        name: name.to_owned(),
        pattern: pattern.to_owned(),
        role,
    }
}

fn verdict(pack: &Pack, text: &str) -> Verdict {
    scan(pack, Kind::Result, Context::default(), text.as_bytes())
}

/// What a pattern finds first in a text, as a finding; a text without `⟦⟧` has nothing to find.
fn check(pattern: &str, text: &str) {
    let start = text.find('⟦');
    let plain = text.replace(['⟦', '⟧'], "");
    let expected = start.map(|start| start..text.find('⟧').unwrap() - '⟦'.len_utf8());
    let verdict = verdict(&pack(&[finding("it", pattern, 50.0)]), &plain);
    let span = verdict.findings.first().map(|finding| finding.span.clone());
    assert_eq!(span, expected, "{pattern} in {plain}");
    assert_eq!(verdict.flagged, start.is_some());
}

#[test]
fn places() {
    check("internal[.]corp", "see ⟦internal.corp⟧ and internal.corp");
    check("INTERNAL[.]corp", "see ⟦Internal.CORP⟧ now");
    check(r"\bproject\s+x\b", "about ⟦Project\n X⟧, not projects xy");
    check(r"\bproject\s+x\b", "about project xy");
    check("a.*c", "⟦abcabc⟧ d");
    check("a.*?c", "⟦abc⟧abc d");
    check("ab|abcd", "⟦ab⟧cd");
    check(r"(?m)^x\d+$", "y\n⟦x12⟧\nz");
    check("[0-9]{6}", "nothing");
    check("project x .{0,40}secret", "the ⟦project x and its secret⟧s");
    check("project x .{0,4}secret", "the project x and its secret");
    check("ab.{0,30}cd", "x ⟦ab ab cd ab cd⟧ ab");
}

#[test]
fn escapes_and_disguises() {
    check(r"internal\scorp", r#"{"a":"x\n⟦Internal\ncorp⟧"}"#);
    check(
        r"internal\scorp",
        r#"{"a":"{\"b\":\"⟦\\u0069nternal\\ncorp⟧\"}"}"#,
    );
    check("say \"hi\"", r#"{"a":"⟦say \"hi\"⟧"}"#);
    check("internal", "⟦int\u{200b}ernal⟧");
    check("internal", "⟦ｉｎｔｅｒｎａｌ⟧");
    check("internal", "⟦íntérnal⟧");
    check("déjà", "⟦déjà⟧");
    check("déjà", "⟦DEJA⟧");
    check("d[éè]j", "⟦déj⟧à");
    check("проект", "⟦Проект⟧ 7");
    check("计划", "秘密⟦计划⟧");
    check("a.b", "⟦a计b⟧");
    check("a.{1,9}b", "⟦a计划b⟧");
    check(r"a[^\s]*b", "⟦a计划b⟧");
}

#[test]
fn what_they_mean() {
    let rules = [
        finding("hint", "falcon", 1.5),
        finding("other-hint", "eagle", 1.0),
        secret("badge", "EMP-[0-9]{6}"),
        UserRule {
            role: RuleRole::Secret { personal: true },
            ..secret("patient", "PAT-[0-9]{4}")
        },
    ];
    let pack = pack(&rules);
    let one = verdict(&pack, "falcon falcon");
    assert!(!one.flagged);
    assert_eq!(one.findings.len(), 1);
    assert_eq!(one.findings[0].feature, "rule.hint");
    assert_eq!(one.findings[0].excerpt, "falcon");
    let both = verdict(&pack, "an eagle and a falcon");
    assert!(both.flagged && both.score > one.score);
    let names: Vec<_> = both
        .findings
        .iter()
        .map(|finding| finding.feature.as_str())
        .collect();
    assert_eq!(names, ["rule.hint", "rule.other-hint"]);
    let secrets = verdict(&pack, "EMP-123456, emp-123456, PAT-1234 and EMP-654321").secrets;
    let secrets: Vec<_> = secrets
        .iter()
        .map(|it| (it.pattern.as_str(), it.personal, it.span.clone()))
        .collect();
    assert_eq!(
        secrets,
        [
            ("badge", false, 0..10),
            ("patient", true, 24..32),
            ("badge", false, 37..47)
        ]
    );
}

#[test]
fn patterns_are_turned_on_and_off() {
    let mut pack = pack(&[secret("badge", "EMP-[0-9]{6}")]);
    let text = "jo@corp.dev has EMP-123456 and 4539578763621486";
    let names = |pack: &Pack| {
        let secrets = verdict(pack, text).secrets;
        secrets.into_iter().map(|it| it.pattern).collect::<Vec<_>>()
    };
    assert_eq!(names(&pack), ["badge", "card"]);
    assert!(
        pack.switch("email", true) && pack.switch("card", false) && pack.switch("badge", false)
    );
    assert!(!pack.switch("emial", true));
    assert_eq!(names(&pack), ["email"]);
    assert_eq!(names(&Pack::load(&pack.to_bytes()).unwrap()), ["email"]);
}

#[test]
fn mistakes() {
    let check = |rule: UserRule, expected: &str| {
        let rules = [finding("good", "x", 1.0), rule];
        let error = with_rules(Pack::default(), &rules).unwrap_err();
        assert_eq!(error.name, "bad");
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(
        finding("bad", "a(b", 1.0),
        "`a(b` is no regular expression, at character 2: unclosed group",
    );
    check(finding("bad", "é(?=b)", 1.0), "at character 2: look-around");
    check(finding("bad", "a*", 1.0), "matches the empty text");
    check(finding("bad", r"[^\s\S]", 1.0), "can never match");
    check(
        finding("bad", "(a.{0,200}){50}", 1.0),
        "too large an automaton",
    );
    check(finding("bad", "a", f64::NAN), "no log odds");
    check(secret("bad", r"\p{Foo}"), "cannot be read");
    let error = with_rules(Pack::default(), &[secret("card", "x")]).unwrap_err();
    assert!(
        error.to_string().contains("give the rule another one"),
        "{error}"
    );
}

#[test]
fn many_rules_are_searched_together() {
    let rules: Vec<_> = (0..64)
        .map(|nth| finding(&format!("r{nth}"), &format!("word{nth}x.{{0,16}}end"), 0.1))
        .collect();
    let pack = pack(&rules);
    for nth in [0, 7, 63] {
        let verdict = verdict(&pack, &format!("it is word{nth}x and the end"));
        let names: Vec<_> = verdict
            .findings
            .iter()
            .map(|it| it.feature.clone())
            .collect();
        assert_eq!(names, [format!("rule.r{nth}")]);
    }
}

#[test]
fn damaged_rules_do_not_load() {
    let pack = with_rules(Pack::default(), &[finding("it", "abc", 1.0)]).unwrap();
    let pack = Pack::assemble(Parts {
        windows: [60; 3],
        user: pack.rules().to_bytes(),
        ..Parts::default()
    });
    let bytes = pack.unwrap().to_bytes();
    // Any byte may be another; what loads does not panic.
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x41;
        if let Ok(pack) = Pack::load(&damaged) {
            verdict(&pack, "abc and more");
        }
    }
    for end in bytes.len() - 200..bytes.len() {
        assert!(Pack::load(&bytes[..end]).is_err());
    }
}

proptest! {
    #[test]
    fn pieces_do_not_matter(
        parts in prop::collection::vec("[ab \n]{0,8}|EMP-[0-9]{5,7}|é\u{200b}| {2000}|x{900}", 0..24),
        cuts in prop::collection::vec(0..9000_usize, 0..5),
    ) {
        let pack = &*RULES;
        let text = parts.concat();
        let whole = verdict(pack, &text);
        let mut scan = Scan::new(pack, Kind::Result, Context::default());
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.sort_unstable();
        let mut from = 0;
        for cut in cuts.into_iter().chain([text.len()]) {
            scan.feed(&text.as_bytes()[from..cut]);
            from = cut;
        }
        prop_assert_eq!(scan.finish(), whole);
    }

    #[test]
    fn as_the_regex_crate_finds_them(text in "[abEMP0-9 -]{0,40}(EMP-[0-9]{6} ?){0,3}") {
        let pattern = r"\bEMP-[0-9]{6}\b";
        let expected: Vec<_> = regex::Regex::new(pattern).unwrap().find_iter(&text).map(|it| it.range()).collect();
        let secrets = verdict(&RULES, &text).secrets;
        let badges: Vec<_> = secrets.into_iter().filter(|it| it.pattern == "badge").map(|it| it.span).collect();
        prop_assert_eq!(badges, expected);
    }
}
