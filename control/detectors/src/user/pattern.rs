//! A pattern as a user writes it becomes an expression over text as the filter reads it.

use gatehold_detect::{Fold, Folded};
use regex_syntax::ast::{
    Ast, ClassAscii, ClassAsciiKind, ClassBracketed, ClassPerl, ClassPerlKind, ClassSet,
    ClassSetItem, parse::Parser,
};
use regex_syntax::hir::{
    Capture, Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, HirKind,
    Look, translate::TranslatorBuilder,
};

/// Classes of so many characters are folded; of larger ones nobody means a single character.
const SMALL: usize = 64;

/// Reads a pattern. Words and digits are those of ASCII, as with RE2; characters beyond ASCII are folded like the
/// text that it is matched with.
pub(super) fn read(pattern: &str, ignore_case: bool, fold: &Fold) -> Result<Hir, String> {
    let mut ast = Parser::new().parse(pattern).map_err(|error| {
        let at = error.span().start.offset;
        format!("`{pattern}` is no regular expression, at character {}: {}; correct it (look-around and back-references do not exist here)",
            pattern.get(..at).unwrap_or_default().chars().count() + 1, error.kind())
    })?;
    to_ascii(&mut ast);
    let mut translator = TranslatorBuilder::new();
    translator.case_insensitive(ignore_case).utf8(false);
    let hir = translator.build().translate(pattern, &ast);
    let hir =
        hir.map_err(|error| format!("`{pattern}` cannot be read: {}; correct it", error.kind()))?;
    let hir = folded(&hir, ignore_case, fold);
    match hir.properties().minimum_len() {
        Some(0) => Err(format!(
            "`{pattern}` matches the empty text, and so every text; write what has to be there"
        )),
        None => Err(format!("`{pattern}` can never match; correct it")),
        Some(_) => Ok(hir),
    }
}

/// `\d`, `\s` and `\w` become classes of ASCII: of all of Unicode they make automata of hundreds of kilobytes. The
/// parser limits how deep an expression is nested.
fn to_ascii(ast: &mut Ast) {
    match ast {
        Ast::ClassPerl(class) => {
            let span = class.span;
            let kind = ClassSet::Item(ClassSetItem::Ascii(ascii(class)));
            *ast = Ast::class_bracketed(ClassBracketed {
                span,
                negated: false,
                kind,
            });
        }
        Ast::ClassBracketed(class) => set_to_ascii(&mut class.kind),
        Ast::Repetition(repetition) => to_ascii(&mut repetition.ast),
        Ast::Group(group) => to_ascii(&mut group.ast),
        Ast::Alternation(alternation) => alternation.asts.iter_mut().for_each(to_ascii),
        Ast::Concat(concat) => concat.asts.iter_mut().for_each(to_ascii),
        _ => {}
    }
}

fn set_to_ascii(set: &mut ClassSet) {
    match set {
        ClassSet::Item(item) => item_to_ascii(item),
        ClassSet::BinaryOp(op) => {
            set_to_ascii(&mut op.lhs);
            set_to_ascii(&mut op.rhs);
        }
    }
}

fn item_to_ascii(item: &mut ClassSetItem) {
    match item {
        ClassSetItem::Perl(class) => *item = ClassSetItem::Ascii(ascii(class)),
        ClassSetItem::Bracketed(class) => set_to_ascii(&mut class.kind),
        ClassSetItem::Union(union) => union.items.iter_mut().for_each(item_to_ascii),
        _ => {}
    }
}

fn ascii(class: &ClassPerl) -> ClassAscii {
    ClassAscii {
        span: class.span,
        kind: match class.kind {
            ClassPerlKind::Digit => ClassAsciiKind::Digit,
            ClassPerlKind::Space => ClassAsciiKind::Space,
            ClassPerlKind::Word => ClassAsciiKind::Word,
        },
        negated: class.negated,
    }
}

/// The expression over folded text.
fn folded(hir: &Hir, ignore_case: bool, fold: &Fold) -> Hir {
    let all = |subs: &[Hir]| {
        subs.iter()
            .map(|sub| folded(sub, ignore_case, fold))
            .collect()
    };
    match hir.kind() {
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) if !text.is_ascii() => {
                let text: String = text
                    .chars()
                    .map(|character| reading(character, fold))
                    .collect();
                Hir::literal(text.into_bytes())
            }
            _ => hir.clone(),
        },
        HirKind::Class(Class::Unicode(class)) => folded_class(class, ignore_case, fold),
        // A text may have other letters on either side of a boundary, but they do not make a word of ASCII.
        HirKind::Look(Look::WordUnicode) => Hir::look(Look::WordAscii),
        HirKind::Look(Look::WordUnicodeNegate) => Hir::look(Look::WordAsciiNegate),
        HirKind::Look(Look::WordStartUnicode) => Hir::look(Look::WordStartAscii),
        HirKind::Look(Look::WordEndUnicode) => Hir::look(Look::WordEndAscii),
        HirKind::Look(Look::WordStartHalfUnicode) => Hir::look(Look::WordStartHalfAscii),
        HirKind::Look(Look::WordEndHalfUnicode) => Hir::look(Look::WordEndHalfAscii),
        HirKind::Repetition(repetition) => {
            let sub = match repetition.sub.kind() {
                HirKind::Class(Class::Unicode(class)) if repetition.max != Some(1) => bytes(class),
                _ => None,
            };
            let sub = sub.unwrap_or_else(|| folded(&repetition.sub, ignore_case, fold));
            Hir::repetition(repetition.with(sub))
        }
        HirKind::Capture(capture) => Hir::capture(Capture {
            index: capture.index,
            name: capture.name.clone(),
            sub: Box::new(folded(&capture.sub, ignore_case, fold)),
        }),
        HirKind::Concat(subs) => Hir::concat(all(subs)),
        HirKind::Alternation(subs) => Hir::alternation(all(subs)),
        _ => hir.clone(),
    }
}

/// Of a class that has everything beyond ASCII, such as `.` or `[^"]`, its bytes: repeated, it means the same, but a
/// count counts bytes. By characters the automaton would be ten times as large.
fn bytes(class: &ClassUnicode) -> Option<Hir> {
    let last = class.ranges().last()?;
    if last.start() > '\u{80}' || last.end() != char::MAX {
        return None;
    }
    let of = |character: char| u8::try_from(u32::from(character)).unwrap_or(u8::MAX);
    let ranges = class
        .iter()
        .map(|range| ClassBytesRange::new(of(range.start()), of(range.end())));
    Some(Hir::class(Class::Bytes(ClassBytes::new(ranges))))
}

fn folded_class(class: &ClassUnicode, ignore_case: bool, fold: &Fold) -> Hir {
    let hir = Hir::class(Class::Unicode(class.clone()));
    let ranges = || {
        class
            .iter()
            .map(|range| u32::from(range.end()) - u32::from(range.start()) + 1)
    };
    if class.is_ascii() || ranges().sum::<u32>() as usize > SMALL {
        return hir;
    }
    let mut readings = Vec::new();
    let mut wider = class.clone();
    for character in class.iter().flat_map(|range| range.start()..=range.end()) {
        let reading = reading(character, fold);
        let mut characters = reading.chars();
        match (characters.next(), characters.next()) {
            (Some(one), None) => wider.push(ClassUnicodeRange::new(one, one)),
            _ => readings.push(Hir::literal(reading.into_bytes())),
        }
    }
    if ignore_case {
        // Text keeps its case where it is ASCII already.
        wider.case_fold_simple();
    }
    readings.push(Hir::class(Class::Unicode(wider)));
    Hir::alternation(readings)
}

/// What stands in a text where a user writes a character.
fn reading(character: char, fold: &Fold) -> String {
    if character.is_ascii() {
        return character.to_string();
    }
    match fold.get(character) {
        Folded::Text { plain, .. } => plain.to_owned(),
        Folded::Separator => " ".to_owned(),
        Folded::Tag(byte) => char::from(byte).to_string(),
        Folded::Invisible | Folded::Mark => String::new(),
        Folded::Letter | Folded::Ideograph => character.to_string(),
    }
}
