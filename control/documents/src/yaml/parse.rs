//! From the parser's events to trees, bounded in depth and in what aliases may copy.

use std::collections::{HashMap, HashSet};

use granit_parser::{ErrorKind, Event, Marker, Parser, ScanError, Span, StrInput, Tag, options};

use super::{Key, Kind, Node, Scalar};
use crate::problem::{Position, Report};
use crate::suggest::excerpt;

/// How deeply lists and maps may be nested.
const MAX_DEPTH: usize = 32;
/// Bytes that anchors and aliases may copy within one file.
const MAX_COPIED: usize = 4 * 1024 * 1024;

/// The documents of one file. A document that is not well-formed is reported and left out, and so are
/// documents without content.
pub(crate) fn parse(file: u32, text: &str, report: &mut Report) -> Vec<Node> {
    let options = options! {
        disallow_directives: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder {
        file,
        events: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        copied: 0,
        report,
    };
    let mut documents = Vec::new();
    loop {
        match builder.document() {
            Ok(Some(document)) => {
                documents.push(document);
                continue;
            }
            Ok(None) => return documents,
            Err(Stop::Rejected) => {}
            Err(Stop::Syntax(error)) => builder.syntax(&error),
        }
        // What is left of the broken document is skipped, so that the others are checked as well.
        match builder.events.proceed_next_document() {
            Ok(true) => {}
            Ok(false) => return documents,
            Err(error) => {
                builder.syntax(&error);
                return documents;
            }
        }
    }
}

/// Why a document has no tree.
enum Stop {
    /// The text is not YAML.
    Syntax(ScanError),
    /// It is, but not what is accepted here; the problem has been reported.
    Rejected,
}

struct Builder<'a> {
    file: u32,
    events: Parser<'a, StrInput<'a>>,
    /// Values with an anchor, by its number.
    anchors: HashMap<usize, Node>,
    copied: usize,
    report: &'a mut Report,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Stop> {
        self.events.next_event().transpose().map_err(Stop::Syntax)
    }

    /// The next document that has content.
    fn document(&mut self) -> Result<Option<Node>, Stop> {
        while let Some((event, span)) = self.next()? {
            if event.is_node() || event.is_alias() {
                let node = self.node(event, span, 0)?;
                if !node.is_null() {
                    return Ok(Some(node));
                }
            }
        }
        Ok(None)
    }

    /// The value that starts with this event.
    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Stop> {
        let at = self.position(&span.start);
        if depth > MAX_DEPTH {
            return self.reject(
                at,
                format!("nested more than {MAX_DEPTH} deep"),
                "flatten it",
            );
        }
        if let Some(tag) = event.tag() {
            return self.tagged(at, tag);
        }
        let anchor = event.anchor_id();
        let kind = match event {
            Event::Alias(id) => return self.alias(at, id),
            Event::Scalar(text, style, _, _) => Kind::Scalar(Scalar {
                text: text.into_owned(),
                style,
                source: span.byte_range().unwrap_or_default(),
            }),
            Event::SequenceStart(..) => Kind::List(self.list(depth)?),
            Event::MappingStart(..) => Kind::Map(self.map(depth)?),
            _ => return self.reject(at, "expected a value", "remove it"),
        };
        let node = Node { at, kind };
        if let Some(id) = anchor {
            self.charge(at, &node)?;
            self.anchors.insert(id, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Stop> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            items.push(self.node(event, span, depth.saturating_add(1))?);
        }
        Ok(items)
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(Key, Node)>, Stop> {
        let mut entries = Vec::new();
        let mut seen: HashSet<String> = HashSet::new();
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let key = self.node(event, span, depth.saturating_add(1))?;
            let Kind::Scalar(scalar) = key.kind else {
                let help = "write a name before the colon, and quote texts with `{`, `[` or `*`";
                return self.reject(key.at, "a key must be a name", help);
            };
            let Some((event, span)) = self.next()? else {
                break;
            };
            let node = self.node(event, span, depth.saturating_add(1))?;
            if scalar.text == "<<" {
                let help = "write the fields out, or alias a whole value (`*name`)";
                return self.reject(key.at, "merge keys (`<<`) are not supported", help);
            }
            if !seen.insert(scalar.text.clone()) {
                let name = excerpt(&scalar.text);
                let help = "keep one of them; of two it is not told which counts";
                self.report.add(
                    key.at,
                    format!("field `{name}` is given twice"),
                    help.to_owned(),
                );
                continue;
            }
            let key = Key {
                at: key.at,
                text: scalar.text,
            };
            entries.push((key, node));
        }
        Ok(entries)
    }

    fn alias(&mut self, at: Position, id: usize) -> Result<Node, Stop> {
        let Some(node) = self.anchors.remove(&id) else {
            let help = "an alias can only follow the whole value that it repeats";
            return self.reject(
                at,
                "the alias stands within the value that it repeats",
                help,
            );
        };
        self.charge(at, &node)?;
        self.anchors.insert(id, node.clone());
        Ok(node)
    }

    /// Pays for a copy.
    fn charge(&mut self, at: Position, node: &Node) -> Result<(), Stop> {
        self.copied = self.copied.saturating_add(node.cost());
        if self.copied <= MAX_COPIED {
            return Ok(());
        }
        let message = "the aliases of this file repeat more than 4 MiB";
        self.reject(at, message, "write less, or fewer aliases of aliases")
    }

    fn tagged<T>(&mut self, at: Position, tag: &Tag) -> Result<T, Stop> {
        let message = format!("tags (`{}`) are not supported", excerpt(&tag.original()));
        self.reject(
            at,
            message,
            "remove it, and quote the value if it is a text that begins with `!`",
        )
    }

    fn reject<T>(
        &mut self,
        at: Position,
        message: impl Into<String>,
        help: &str,
    ) -> Result<T, Stop> {
        self.report.add(at, message, help.to_owned());
        Err(Stop::Rejected)
    }

    fn syntax(&mut self, error: &ScanError) {
        let help = match error.kind() {
            ErrorKind::UnknownAnchor | ErrorKind::MissingAnchorOrAliasName => {
                Some("a text that begins with `*` must be quoted: \"*\"".to_owned())
            }
            _ => None,
        };
        let at = self.position(error.marker());
        let info = excerpt(&error.info());
        self.report.add(at, format!("not valid YAML: {info}"), help);
    }

    fn position(&self, marker: &Marker) -> Position {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Position {
            file: self.file,
            line: number(marker.line()),
            column: number(marker.col().saturating_add(1)),
        }
    }
}
