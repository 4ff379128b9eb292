//! Medians by name, kept in a file so that two runs can be laid side by side.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Nanoseconds by the name of the function.
pub type Medians = BTreeMap<String, f64>;

/// One line per function.
#[must_use]
pub fn write(medians: &Medians) -> String {
    let line = |(name, median): (&String, &f64)| format!("{name} {median:.1}\n");
    medians.iter().map(line).collect()
}

/// Reads what [`write`] wrote; lines that are something else are left out.
#[must_use]
pub fn read(text: &str) -> Medians {
    let line = |line: &str| {
        let (name, median) = line.split_once(' ')?;
        Some((name.to_owned(), median.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

/// A table: native, WebAssembly and how many times the second is the first, as far as both are known.
#[must_use]
pub fn compare(native: &Medians, wasm: &Medians) -> String {
    let names = native.keys().chain(wasm.keys());
    let names: std::collections::BTreeSet<&String> = names.collect();
    let widest = names
        .iter()
        .map(|name| name.len())
        .max()
        .unwrap_or_default();
    let mut text = format!(
        "{:widest$} {:>12} {:>12} {:>6}\n",
        "median", "native", "wasm", "times"
    );
    for name in names {
        let [one, other] = [native, wasm].map(|medians| medians.get(name).copied());
        let time = |median: Option<f64>| median.map_or_else(|| "-".to_owned(), with_unit);
        let ratio = match (one, other) {
            (Some(one), Some(other)) if one > 0.0 => format!("{:.2}", other / one),
            _ => "-".to_owned(),
        };
        let _ = writeln!(
            text,
            "{name:widest$} {:>12} {:>12} {ratio:>6}",
            time(one),
            time(other)
        );
    }
    text
}

fn with_unit(nanoseconds: f64) -> String {
    match nanoseconds {
        few if few < 1e3 => format!("{few:.0} ns"),
        more if more < 1e6 => format!("{:.2} us", more / 1e3),
        many => format!("{:.2} ms", many / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let medians = Medians::from([("a/2k".to_owned(), 12.5), ("b".to_owned(), 1e7)]);
        assert_eq!(read(&write(&medians)), medians);
        assert_eq!(
            read("no number\n\nc 1\n"),
            Medians::from([("c".to_owned(), 1.0)])
        );
    }

    #[test]
    fn compares() {
        let native = read("both 100\nnative 2500\n");
        let wasm = read("both 150\nwasm 3500000\n");
        let expected = "\
median       native         wasm  times
both         100 ns       150 ns   1.50
native      2.50 us            -      -
wasm              -      3.50 ms      -
";
        assert_eq!(compare(&native, &wasm), expected);
    }
}
