//! What detection saw, in words for whoever decides.

use gatehold_approvals::Finding;

/// One text in which something was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where, and how much: "In a result of fetch: looks like an attack (0.987)".
    pub headline: String,
    /// Names of what was seen.
    pub features: Vec<String>,
    /// The text itself, folded; empty when there is nothing that may be shown.
    pub excerpt: String,
    /// Whether it is enough to act on.
    pub flagged: bool,
}

/// What was seen, worst first; what is only being tried comes last and says so.
pub fn seen(findings: &[Finding]) -> Vec<Seen> {
    let mut findings: Vec<&Finding> = findings.iter().collect();
    findings.sort_by_key(|finding| {
        let is_mild = !finding.flagged;
        (finding.shadow, is_mild, std::cmp::Reverse(finding.score))
    });
    findings.into_iter().map(one).collect()
}

fn one(finding: &Finding) -> Seen {
    let subject = &finding.subject;
    let place = match (finding.kind.as_str(), subject.is_empty()) {
        ("argument", _) => "the arguments".to_owned(),
        ("result", true) => "a result".to_owned(),
        ("result", false) => format!("a result of {subject}"),
        ("tool", true) => "a definition".to_owned(),
        ("tool", false) => format!("the definition of {subject}"),
        (kind, true) => kind.to_owned(),
        (kind, false) => format!("{kind} of {subject}"),
    };
    let is_secret = |feature: &String| feature.starts_with("secret:");
    let score = finding.score_text();
    let what = match finding.flagged {
        true => format!("looks like an attack ({score})"),
        false if finding.features.iter().any(is_secret) => "holds secrets".to_owned(),
        false => format!("not enough to act on ({score})"),
    };
    let tried = match finding.shadow {
        true => "; seen only by detectors that are being tried",
        false => "",
    };
    Seen {
        headline: format!("In {place}: {what}{tried}"),
        features: finding.features.clone(),
        excerpt: finding.excerpt.clone(),
        flagged: finding.flagged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(kind: &str, subject: &str, score: u16, flagged: bool) -> Finding {
        Finding {
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            score,
            flagged,
            ..Finding::default()
        }
    }

    #[test]
    fn the_worst_comes_first() {
        let secret = Finding {
            features: vec!["secret:card".to_owned()],
            ..finding("argument", "", 0, false)
        };
        let tried = Finding {
            shadow: true,
            ..finding("tool", "get", 999, true)
        };
        let mild = finding("result", "", 300, false);
        let all = [secret, tried, mild, finding("result", "fetch", 987, true)];
        let headlines: Vec<_> = seen(&all).into_iter().map(|seen| seen.headline).collect();
        assert_eq!(
            headlines,
            [
                "In a result of fetch: looks like an attack (0.987)",
                "In a result: not enough to act on (0.300)",
                "In the arguments: holds secrets",
                "In the definition of get: looks like an attack (0.999); seen only by detectors that are being tried",
            ]
        );
    }
}
