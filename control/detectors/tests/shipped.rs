//! The rules and weights that ship.
#![expect(clippy::expect_used, reason = "a test may panic")]

use std::sync::LazyLock;

use gatehold_detect::{Context, Kind, Pack, scan};
use gatehold_detectors::{Draft, Weights, compile};
use serde_json::Value;

static PACK: LazyLock<Pack> = LazyLock::new(|| compile(&[]).expect("what ships is good"));

#[test]
fn own_examples_of_many_families_and_languages_are_told_apart() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in include_str!("corpus.jsonl").lines() {
        let row: Value = serde_json::from_str(line).expect("a row");
        let field = |name: &str| {
            row.get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let kind = Kind::from_name(&field("kind")).expect("a kind");
        let text = row
            .get("tool")
            .map_or_else(|| field("text"), Value::to_string);
        let verdict = scan(&PACK, kind, Context::default(), text.as_bytes());
        count += 1;
        if verdict.flagged != (row.get("label") == Some(&Value::from(1))) {
            wrong.push(format!(
                "{} {:.2} {:?}",
                field("id"),
                verdict.score,
                verdict.findings
            ));
        }
    }
    assert!(count >= 50, "only {count} rows");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_pack_is_the_same_bytes_each_time_and_comes_back_as_it_was() {
    let bytes = PACK.to_bytes();
    assert_eq!(compile(&[]).unwrap().to_bytes(), bytes);
    assert_eq!(Pack::load(&bytes).unwrap().to_bytes(), bytes);
}

#[test]
fn texts_are_skimmed() {
    assert!(gatehold_detectors::compile(&[]).unwrap().is_skimmed());
}

#[test]
fn a_damaged_pack_is_refused() {
    let bytes = PACK.to_bytes();
    for cut in [0, 3, 7, bytes.len() / 2, bytes.len() - 1] {
        assert!(
            Pack::load(bytes.get(..cut).unwrap()).is_err(),
            "cut at {cut}"
        );
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(Pack::load(&longer).is_err());
}

#[test]
fn every_weight_is_of_a_feature_that_the_rules_have() {
    let draft = Draft::shipped().unwrap();
    let known = draft.for_training().unwrap();
    let weights = Weights::shipped().unwrap();
    for name in weights.features.keys() {
        assert!(
            known.features().iter().any(|it| it.name == *name),
            "`{name}` is in weights.tsv alone"
        );
    }
    assert!(weights.thresholds.iter().all(|sum| *sum > 0));
    assert_eq!(Weights::parse(&weights.to_text()).unwrap(), weights);
}

#[test]
fn a_weights_line_that_is_wrong_is_named() {
    for bad in [
        "override.all\t1\t2",
        "override.all\tx\t1\t2",
        "override.all",
    ] {
        let error = Weights::parse(&format!("threshold\t1\t1\t1\n{bad}\n")).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
