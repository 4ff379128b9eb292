//! What the messages carry: arguments, results and tool definitions that look like those of real servers. Nothing is
//! random, so every run sends the same bytes.

use serde_json::{Value, json};

const WORDS: [&str; 16] = [
    "the",
    "customer",
    "asked",
    "for",
    "an",
    "invoice",
    "of",
    "order",
    "about",
    "delivery",
    "by",
    "\"express\"",
    "which",
    "was",
    "late,",
    "again",
];

/// Prose of `bytes` bytes, with a quotation mark and a line break now and then.
#[must_use]
pub fn prose(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes.saturating_add(16));
    for (count, word) in WORDS.iter().cycle().enumerate() {
        if text.len() >= bytes {
            break;
        }
        if count > 0 {
            text.push(if count % 40 == 0 { '\n' } else { ' ' });
        }
        text.push_str(word);
    }
    text.truncate(bytes);
    text
}

/// Records of an order system, about `bytes` bytes of JSON together.
#[must_use]
pub fn records(bytes: usize) -> Vec<Value> {
    let mut size = 0_usize;
    let record = |number: u32| {
        json!({
            "id": format!("ord_{:06}", number), "customer": { "id": 1000_u32.saturating_add(number), "tier": "gold" },
            "total": f64::from(number) * 1.25 + 0.5, "currency": "EUR", "paid": number.is_multiple_of(2),
            "tags": ["web", "express"], "note": null,
        })
    };
    (0..)
        .map(record)
        .take_while(|record| {
            size = size
                .saturating_add(record.to_string().len())
                .saturating_add(1);
            size <= bytes
        })
        .collect()
}

/// Arguments of a call, `bytes` bytes of JSON: a few short values, half of the rest records, half prose.
#[must_use]
pub fn arguments(bytes: usize) -> Value {
    let build = |records: Vec<Value>, note: usize| {
        json!({
            "query": "orders of last week", "limit": 20, "amount": 80.0, "verbose": false,
            "filters": { "status": ["open", "late"], "region": "eu-central" },
            "items": records, "note": prose(note),
        })
    };
    let records = records(bytes.saturating_sub(200) / 2);
    filled(bytes, |note| build(records.clone(), note))
}

/// The `result` of a call, `bytes` bytes of JSON: half prose as text, half records as structured content.
#[must_use]
pub fn result(bytes: usize) -> Value {
    let records = records(bytes.saturating_sub(150) / 2);
    let count = records.len();
    filled(bytes, |text| {
        json!({
            "content": [{ "type": "text", "text": prose(text) }],
            "structuredContent": { "orders": records.clone(), "count": count },
            "isError": false,
        })
    })
}

/// What `build` makes of the length of its text such that it has `bytes` bytes, or as near as that goes.
fn filled(bytes: usize, build: impl Fn(usize) -> Value) -> Value {
    let mut text = 0_usize;
    let mut made = build(text);
    // The prose grows a little when it is escaped, so this converges within a few steps.
    for _ in 0..8 {
        let size = made.to_string().len();
        if size == bytes {
            break;
        }
        text = text.saturating_add(bytes).saturating_sub(size);
        made = build(text);
    }
    made
}

/// Definitions of `count` tools. Of five, one would delete and one would change something.
#[must_use]
pub fn tools(count: usize) -> Vec<Value> {
    let things = [
        "orders",
        "customers",
        "invoices",
        "shipments",
        "tickets",
        "contracts",
        "refunds",
    ];
    let verbs = ["get", "search", "list", "update", "delete"];
    let tool = |(number, (verb, thing)): (usize, (&&str, &&str))| {
        json!({
            "name": format!("{verb}_{thing}_{number}"), "title": format!("{verb} {thing}"),
            "description": format!("Use this tool to {verb} {thing} of the customer relations system. {}", prose(160)),
            "inputSchema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
                "properties": {
                    "id": { "type": "string", "description": "Identifier, as another tool returned it", "minLength": 3 },
                    "query": { "type": "string", "description": "Words that must occur, in any order" },
                    "limit": { "type": "integer", "minimum": 1, "maximum": 100, "default": 20 },
                    "status": { "type": "string", "enum": ["open", "paid", "late", "closed"] },
                    "range": {
                        "type": "object",
                        "properties": { "from": { "type": "string", "format": "date" }, "to": { "type": "string", "format": "date" } },
                    },
                },
                "required": ["id"], "additionalProperties": false,
            },
            "annotations": { "readOnlyHint": *verb != "delete" && *verb != "update", "openWorldHint": false },
        })
    };
    verbs
        .iter()
        .cycle()
        .zip(things.iter().cycle())
        .take(count)
        .enumerate()
        .map(tool)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_met() {
        for bytes in [512, 2048, 10_240, 102_400] {
            for made in [arguments(bytes), result(bytes)] {
                let size = made.to_string().len();
                assert!(size.abs_diff(bytes) <= 2, "{size} instead of {bytes}");
            }
        }
    }

    #[test]
    fn tools_have_names_of_their_own() {
        let tools = tools(500);
        let names: std::collections::BTreeSet<_> =
            tools.iter().map(|tool| tool["name"].to_string()).collect();
        assert_eq!(names.len(), 500);
        let size = Value::from(tools).to_string().len();
        assert!((400_000..600_000).contains(&size), "{size}");
    }
}
