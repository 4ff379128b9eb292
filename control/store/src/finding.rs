//! Findings in columns and exported lines.

use gatehold_approvals::Finding;
use gatehold_wire::audit;
use serde_json::Value;
use std::fmt::Write as _;

/// Most findings that are kept of one message, and most features of each: filters send no more.
const MAX_FINDINGS: usize = 32;
const MAX_FEATURES: usize = 16;

/// What a filter says it saw.
#[must_use]
pub fn findings_from_wire(findings: Vec<audit::Finding>) -> Vec<Finding> {
    let findings = findings.into_iter().take(MAX_FINDINGS);
    let read = |finding: audit::Finding| Finding {
        score: Finding::thousandths(finding.score),
        kind: finding.kind,
        subject: finding.subject,
        flagged: finding.flagged,
        features: finding.features.into_iter().take(MAX_FEATURES).collect(),
        start: finding.start,
        end: finding.end,
        excerpt: finding.excerpt,
        shadow: finding.shadow,
    };
    findings.map(read).collect()
}

/// JSON text of a list, on one line, with the fields in this order. Audit events are hashed with it.
pub(crate) fn text(findings: &[Finding]) -> String {
    let mut text = String::from("[");
    for (number, finding) in findings.iter().enumerate() {
        let Finding {
            kind,
            subject,
            score: _,
            flagged,
            features,
            start,
            end,
            excerpt,
            shadow,
        } = finding;
        let comma = if number > 0 { "," } else { "" };
        let [kind, subject, excerpt] = [kind, subject, excerpt].map(|it| Value::from(it.as_str()));
        let features = Value::from(features.as_slice());
        let score = finding.score_text();
        // Writing to a string can't fail.
        let _ = write!(
            text,
            "{comma}{{\"kind\":{kind},\"subject\":{subject},\"score\":{score},\"flagged\":{flagged},\
             \"features\":{features},\"start\":{start},\"end\":{end},\"excerpt\":{excerpt},\
             \"shadow\":{shadow}}}"
        );
    }
    text.push(']');
    text
}

/// What [`text`] wrote.
pub(crate) fn read(text: &str) -> Result<Vec<Finding>, sqlx::Error> {
    let damaged = || sqlx::Error::Decode("the findings are damaged".into());
    let items: Vec<Value> =
        serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let read = |item: &Value| {
        let text = |key: &str| Some(item.get(key)?.as_str()?.to_owned());
        let features = item.get("features")?.as_array()?.iter();
        let features = features.map(|feature| feature.as_str().map(str::to_owned));
        Some(Finding {
            kind: text("kind")?,
            subject: text("subject")?,
            score: Finding::thousandths(item.get("score")?.as_f64()?),
            flagged: item.get("flagged")?.as_bool()?,
            features: features.collect::<Option<_>>()?,
            start: item.get("start")?.as_u64()?,
            end: item.get("end")?.as_u64()?,
            excerpt: text("excerpt")?,
            shadow: item.get("shadow")?.as_bool()?,
        })
    };
    let findings = items.iter().map(read).collect::<Option<_>>();
    findings.ok_or_else(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_read_as_they_were_written() {
        let finding = Finding {
            kind: "result".to_owned(),
            subject: "fetch\n\"x\"".to_owned(),
            score: 987,
            flagged: true,
            features: vec!["override.instructions".to_owned(), "rule.a".to_owned()],
            start: 7,
            end: u64::MAX,
            excerpt: "ignore \u{7} all".to_owned(),
            shadow: true,
        };
        for findings in [
            vec![],
            vec![finding.clone()],
            vec![Finding::default(), finding],
        ] {
            let written = text(&findings);
            assert!(!written.contains('\n'), "{written}");
            assert_eq!(read(&written).ok(), Some(findings), "{written}");
        }
        assert!(read("[{}]").is_err());
    }
}
