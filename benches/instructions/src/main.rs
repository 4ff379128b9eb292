//! Counts all cases under callgrind and compares them with the table in the repository.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command that prints what it finds")]

mod run;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use gatehold_bench_instructions::{callgrind, table};

/// Counts instructions, host calls, copied bytes and allocations of the filter.
#[derive(Debug, Parser)]
struct Arguments {
    /// Count only the cases whose name holds this; the table is left as it is.
    #[arg(long)]
    only: Option<String>,
    /// Print where the instructions of one case go, function by function, and its host calls, and no table.
    #[arg(long, conflicts_with = "only")]
    profile: Option<String>,
    /// Leave the table as it is, and fail when a count has grown by more than 3 %.
    #[arg(long)]
    check: bool,
    /// The table.
    #[arg(long, default_value = "benches/instructions.txt")]
    table: PathBuf,
}

/// Growth of a count in percent that `--check` lets pass.
const ALLOWED: f64 = 3.0;

/// Functions that a profile shows.
const SHOWN: usize = 40;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runner = run::Runner::new()?;
    if let Some(name) = &arguments.profile {
        let run::Counted { file, calls, .. } = runner.count(name)?;
        let text =
            fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        print!("{}", callgrind::profile(&text)?.describe(SHOWN));
        print!("\nhost calls:\n{calls}");
        println!(
            "\nline by line: callgrind_annotate --auto=yes {}",
            file.display()
        );
        return Ok(());
    }

    let mut names = runner.names()?;
    if let Some(part) = &arguments.only {
        names.retain(|name| name.contains(part));
    }
    let after = runner.count_all(&names)?;
    let mut before = match fs::read_to_string(&arguments.table) {
        Ok(text) => table::read(&text)?,
        Err(_) => table::Table::new(),
    };
    if arguments.only.is_some() {
        before.retain(|name, _| after.contains_key(name));
    }
    let changes = table::changes(&before, &after);
    print!("{}", table::write(&after));
    println!("\nagainst {}:", arguments.table.display());
    match table::describe(&changes) {
        none if none.is_empty() => println!("no difference"),
        some => print!("{some}"),
    }
    if arguments.check {
        let grown = table::grown(&changes, ALLOWED);
        if !grown.is_empty() {
            bail!(
                "grown by more than {ALLOWED} %: {}; make it cheaper, or accept it by a run without `--check`",
                grown.join(", ")
            );
        }
    } else if arguments.only.is_none() {
        let text = format!("{}{}", table::PREAMBLE, table::write(&after));
        fs::write(&arguments.table, text)
            .with_context(|| format!("writing {}", arguments.table.display()))?;
    }
    Ok(())
}
