//! `gatehold scan`.

mod input;
mod measure;

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use gatehold_detect::{Context, Kind, Verdict, scan as detect};
use serde_json::json;

use crate::check::load_directory;
use crate::detectors;
use input::Item;
use measure::Measure;

/// What to scan, and how to say what was seen.
#[derive(Debug, Args)]
pub struct Options {
    /// Text, JSON, an answer to `tools/list`, or JSON Lines of `{id, kind, text | tool, label?}`; `-` is stdin.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What texts are that do not say it themselves.
    #[arg(long, value_enum, default_value_t = KindName::Result)]
    pub kind: KindName,
    /// Say what each score was made of.
    #[arg(long)]
    pub why: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Directory of documents whose Detectors document is to be used.
    #[arg(long, value_name = "DIR")]
    pub config: Option<PathBuf>,
}

/// A kind on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum KindName {
    /// What a server answers.
    Result,
    /// The definition of a tool.
    Tool,
    /// What an agent sends.
    Argument,
}

/// How verdicts are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object for each text; the sums of labelled data go to stderr.
    Jsonl,
}

impl From<KindName> for Kind {
    fn from(name: KindName) -> Self {
        match name {
            KindName::Result => Self::Result,
            KindName::Tool => Self::Tool,
            KindName::Argument => Self::Argument,
        }
    }
}

/// Prints a verdict for each text, made by the engine and weights of the filter; where texts have labels, also
/// what was found of the attacks and wrongly flagged of the others, by source, and how fast it went.
///
/// # Errors
/// A file can't be read or a line of it can't be understood; what came before it has been printed.
pub fn scan(options: &Options, out: &mut impl Write) -> anyhow::Result<()> {
    let documents = options.config.as_deref().map(load_directory).transpose()?;
    let document = documents.as_ref().and_then(|it| it.detectors.as_deref());
    let pack = detectors::in_force(document)?;
    let mut out = io::BufWriter::new(out);
    let mut measure = Measure::default();
    let mut progress = Progress::new();
    for file in &options.files {
        for item in input::read(file, options.kind.into())? {
            let item = item?;
            let context = Context {
                tools: &item.others,
                request: &[],
            };
            let begun = Instant::now();
            let verdict = detect(&pack, item.kind, context, &item.text);
            measure.add(&item, verdict.flagged, begun.elapsed());
            match options.format {
                Format::Text => print(&item, &verdict, options.why, &mut out)?,
                Format::Jsonl => writeln!(out, "{}", as_json(&item, &verdict))?,
            }
            progress.step();
        }
    }
    progress.end();
    if measure.has_labels() {
        out.flush()?;
        match options.format {
            Format::Text => write!(out, "\n{measure}")?,
            Format::Jsonl => write!(io::stderr(), "{measure}")?,
        }
    }
    out.flush()?;
    Ok(())
}

fn print(item: &Item, verdict: &Verdict, why: bool, out: &mut impl Write) -> io::Result<()> {
    let says = if verdict.flagged { "FLAGGED" } else { "ok" };
    let Verdict {
        score,
        findings,
        secrets,
        ..
    } = verdict;
    writeln!(out, "{says:8}{score:.3}  {} {}", item.kind.name(), item.id)?;
    if why {
        for finding in findings {
            let (start, end) = (finding.span.start, finding.span.end);
            let shown = finding.excerpt.escape_debug();
            writeln!(
                out,
                "        {:+6.2}  {:28} {start}-{end}  {shown}",
                finding.weight, finding.feature
            )?;
        }
    }
    for secret in secrets {
        let (start, end) = (secret.span.start, secret.span.end);
        let what = if secret.personal {
            "personal"
        } else {
            "secret"
        };
        writeln!(out, "        {what}  {}  {start}-{end}", secret.pattern)?;
    }
    Ok(())
}

fn as_json(item: &Item, verdict: &Verdict) -> serde_json::Value {
    let findings = verdict.findings.iter().map(|finding| {
        json!({
            "feature": finding.feature,
            "score": finding.weight,
            "span": [finding.span.start, finding.span.end],
            "excerpt": finding.excerpt,
        })
    });
    let secrets = verdict.secrets.iter().map(|secret| {
        json!({
            "pattern": secret.pattern,
            "personal": secret.personal,
            "span": [secret.span.start, secret.span.end],
        })
    });
    json!({
        "id": item.id,
        "flagged": verdict.flagged,
        "score": verdict.score,
        "findings": findings.collect::<Vec<_>>(),
        "secrets": secrets.collect::<Vec<_>>(),
    })
}

/// Says on a terminal how far a long run is.
struct Progress {
    shown: bool,
    count: u64,
    last: Instant,
}

impl Progress {
    fn new() -> Self {
        Self {
            shown: io::stderr().is_terminal() && !io::stdout().is_terminal(),
            count: 0,
            last: Instant::now(),
        }
    }

    fn step(&mut self) {
        self.count += 1;
        if self.shown && self.last.elapsed() > Duration::from_millis(250) {
            self.last = Instant::now();
            // When stderr is closed there is nobody to tell.
            let _ = write!(io::stderr(), "\r{} texts", self.count);
        }
    }

    fn end(&self) {
        if self.shown {
            let _ = writeln!(io::stderr(), "\r{} texts", self.count);
        }
    }
}
