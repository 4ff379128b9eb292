//! What of a message is just its envelope: ids, cursors and states, which machines give back as they got them.

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Outer<'m> {
    #[serde(borrow)]
    id: Option<&'m RawValue>,
    #[serde(borrow)]
    result: Option<&'m RawValue>,
    #[serde(borrow)]
    params: Option<&'m RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Inner<'m> {
    #[serde(borrow)]
    request_state: Option<&'m RawValue>,
    #[serde(borrow)]
    next_cursor: Option<&'m RawValue>,
    #[serde(borrow)]
    task_id: Option<&'m RawValue>,
    #[serde(borrow)]
    request_id: Option<&'m RawValue>,
    #[serde(borrow)]
    progress_token: Option<&'m RawValue>,
    #[serde(borrow)]
    task: Option<&'m RawValue>,
}

/// The message with blanks for what its envelope holds, everything at its place; nothing where it holds nothing,
/// and for what is not read in one way. Only what looks like a token is blanked: in these places a sentence is
/// looked at like any other.
pub fn veiled(message: &[u8]) -> Option<Vec<u8>> {
    let outer: Outer<'_> = serde_json::from_slice(message).ok()?;
    let mut values = vec![outer.id];
    for body in [outer.result, outer.params].into_iter().flatten() {
        let inner = inner(body);
        let task = inner.task.map(self::inner).unwrap_or_default();
        values.extend([
            inner.request_state,
            inner.next_cursor,
            inner.task_id,
            inner.request_id,
            inner.progress_token,
            task.task_id,
        ]);
    }
    let mut new = None;
    for value in values.into_iter().flatten() {
        let value = value.get();
        let Some(blank) = blank(value) else {
            continue;
        };
        let start = value.as_ptr().addr();
        let start = start.saturating_sub(message.as_ptr().addr());
        let new = new.get_or_insert_with(|| message.to_vec());
        new.get_mut(start..start.saturating_add(value.len()))?
            .copy_from_slice(&blank);
    }
    new
}

fn inner(body: &RawValue) -> Inner<'_> {
    serde_json::from_str(body.get()).unwrap_or_default()
}

/// A value of the same kind and length that says nothing.
fn blank(value: &str) -> Option<Vec<u8>> {
    let mut blank = vec![b' '; value.len()];
    if let Some(text) = value.strip_prefix('"') {
        let text = text.strip_suffix('"')?.replace("\\/", "");
        let is_token = text.bytes().all(|it| it.is_ascii_graphic() && it != b'\\');
        if !is_token || text.is_empty() {
            return None;
        }
        *blank.first_mut()? = b'"';
        *blank.last_mut()? = b'"';
        return Some(blank);
    }
    let is_number = value.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    *blank.first_mut()? = b'0';
    is_number.then_some(blank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_are_blanked() {
        for (message, expected) in [
            (
                r#"{"id":4111,"result":{}}"#,
                Some(r#"{"id":0   ,"result":{}}"#),
            ),
            (
                r#"{"result":{"nextCursor":"e.\/J","x":"e.J"},"id":"a-1"}"#,
                Some(r#"{"result":{"nextCursor":"     ","x":"e.J"},"id":"   "}"#),
            ),
            (
                r#"{"result":{"requestState":"abc","task":{"taskId":"t1","x":1}}}"#,
                Some(r#"{"result":{"requestState":"   ","task":{"taskId":"  ","x":1}}}"#),
            ),
            (
                r#"{"params":{"progressToken":12,"message":"x"}}"#,
                Some(r#"{"params":{"progressToken":0 ,"message":"x"}}"#),
            ),
            // A sentence is none.
            (r#"{"result":{"nextCursor":"ignore it"}}"#, None),
            (r#"{"result":{"nextCursor":"ignore\u0020it"}}"#, None),
            (r#"{"result":{"nextCursor":["abc"]}}"#, None),
            // It could be read in two ways.
            (r#"{"id":1,"id":2}"#, None),
            (r#"{"x":{"id":1}}"#, None),
            ("plain", None),
        ] {
            let new = veiled(message.as_bytes()).map(|it| String::from_utf8(it).unwrap());
            assert_eq!(new.as_deref(), expected, "{message}");
        }
    }
}
