//! Runs cases under valgrind, each in a process of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context as _, Result, bail};
use gatehold_bench_instructions::callgrind;
use gatehold_bench_instructions::table::{Counts, Table};

/// One case, counted.
pub(crate) struct Counted {
    pub(crate) counts: Counts,
    /// What callgrind wrote.
    pub(crate) file: PathBuf,
    /// How often each host call was made, line by line.
    pub(crate) calls: String,
}

/// Processes at a time.
const WORKERS: usize = 2;

/// How cases are run.
pub(crate) struct Runner {
    /// The binary with the cases.
    case: PathBuf,
    /// Where callgrind writes.
    out: PathBuf,
}

impl Runner {
    /// Looks for the cases beside this binary, and for valgrind.
    pub(crate) fn new() -> Result<Self> {
        let own = std::env::current_exe().context("finding this binary")?;
        let folder = own.parent().unwrap_or(Path::new("."));
        let case = folder.join("count-case");
        if !case.exists() {
            bail!(
                "`{}` is missing; build the whole package first",
                case.display()
            );
        }
        if Command::new("valgrind").arg("--version").output().is_err() {
            bail!(
                "valgrind is not installed; install it, for example by `apt-get install valgrind`"
            );
        }
        let out = folder.join("callgrind");
        fs::create_dir_all(&out).with_context(|| format!("making {}", out.display()))?;
        Ok(Self { case, out })
    }

    /// All cases.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let listed = output(Command::new(&self.case).arg("--list"))?;
        Ok(listed.lines().map(str::to_owned).collect())
    }

    /// Counts these cases.
    pub(crate) fn count_all(&self, names: &[String]) -> Result<Table> {
        let left = Mutex::new(names.iter());
        let next = || left.lock().ok().and_then(|mut left| left.next());
        let work = || -> Result<Table> {
            let mut counted = Table::new();
            while let Some(name) = next() {
                counted.insert(name.clone(), self.count(name)?.counts);
            }
            Ok(counted)
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
            let mut table = Table::new();
            for worker in workers {
                match worker.join() {
                    Ok(counted) => table.extend(counted?),
                    Err(_) => bail!("a thread that counts has failed"),
                }
            }
            Ok(table)
        })
    }

    /// Counts one case.
    pub(crate) fn count(&self, name: &str) -> Result<Counted> {
        let file = self.out.join(format!("{}.out", name.replace('/', "-")));
        let mut command = Command::new("valgrind");
        command
            .args(callgrind::arguments(&file.display().to_string()))
            .arg(&self.case)
            .arg(name)
            // What lies in the environment moves the stack, and the C library chooses by it.
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("GLIBC_TUNABLES", callgrind::TUNABLES);
        let printed = output(&mut command)?;
        let text =
            fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let text = callgrind::without_outer_frames(&text);
        fs::write(&file, &text).with_context(|| format!("writing {}", file.display()))?;
        let instructions = callgrind::instructions(&text)?;
        let (counts, calls) = printed.split_once('\n').unwrap_or((&printed, ""));
        let rest: Vec<u64> = counts
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()
            .with_context(|| format!("`{name}` printed `{printed}`"))?;
        let [crossings, copied, allocations, allocated] = <[u64; 4]>::try_from(rest)
            .map_err(|_| anyhow::anyhow!("`{name}` printed `{printed}`, not four numbers"))?;
        Ok(Counted {
            counts: [instructions, crossings, copied, allocations, allocated],
            file,
            calls: calls.to_owned(),
        })
    }
}

fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("running {command:?}"))?;
    if !output.status.success() {
        bail!(
            "{command:?} failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
