//! Processes that may outlive the one that started them.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long a process may take to end by itself after a signal.
const END: Duration = Duration::from_secs(10);

/// How long a process may take that is killed. On a busy machine it takes the kernel a while to free what it had.
const DEATH: Duration = Duration::from_secs(60);

/// How often a process is looked at that is waited for.
const LOOK: Duration = Duration::from_millis(10);

/// A process for certain: its number, and when it started, since numbers are given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessId {
    /// Its number.
    pub number: u32,
    /// When it started, in the kernel's ticks since the machine did.
    start_ticks: u64,
}

impl ProcessId {
    fn of(number: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
        // The name, in parentheses, may have spaces. The state is the first field after it, the start the 20th.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        if *fields.first()? == "Z" {
            return None;
        }
        Some(Self { number, start_ticks: fields.get(19)?.parse().ok()? })
    }

    /// Whether it runs, or is stopped; a number that another process has by now does not count.
    pub fn is_alive(self) -> bool {
        Self::of(self.number) == Some(self)
    }

    /// Sends it a signal, such as `KILL`, unless it has ended.
    ///
    /// # Errors
    /// When the signal can't be sent.
    pub fn signal(self, name: &str) -> Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        let status = Command::new("kill")
            .args([format!("-{name}"), self.number.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .context("starting kill")?;
        // It may have ended meanwhile.
        if !status.success() && self.is_alive() {
            bail!("process {} can't be sent {name}", self.number);
        }
        Ok(())
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.start_ticks)
    }
}

impl FromStr for ProcessId {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (number, start_ticks) = text.trim().split_once(' ').context("a process is two numbers")?;
        Ok(Self { number: number.parse()?, start_ticks: start_ticks.parse()? })
    }
}

/// A process in a folder of its own, which holds its log and its number.
pub(crate) struct Process {
    name: String,
    folder: PathBuf,
    id: ProcessId,
    /// Where it is ours to wait for.
    child: Option<Child>,
}

impl Process {
    /// Starts one, with its log in the folder. Ctrl-C in our terminal does not reach it.
    pub(crate) fn start(name: &str, folder: &Path, command: &mut Command) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let path = log_file(folder);
        let log = File::options().create(true).append(true).open(&path);
        let log = log.with_context(|| format!("opening {}", path.display()))?;
        command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
        let Some(id) = ProcessId::of(child.id()) else {
            let status = child.wait().with_context(|| format!("waiting for {name}"))?;
            bail!("{name} ended at once, with {status}:\n{}", fs::read_to_string(&path).unwrap_or_default());
        };
        fs::write(number_file(folder), id.to_string()).context("writing down the number of a process")?;
        Ok(Self { name: name.to_owned(), folder: folder.to_owned(), id, child: Some(child) })
    }

    /// The one that was started in this folder last, by whomever.
    pub(crate) fn recorded(name: &str, folder: &Path) -> Result<Self> {
        let path = number_file(folder);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let id = text.parse().with_context(|| format!("reading {}", path.display()))?;
        Ok(Self { name: name.to_owned(), folder: folder.to_owned(), id, child: None })
    }

    pub(crate) fn id(&self) -> ProcessId {
        self.id
    }

    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(log_file(&self.folder)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Fails when it has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        let ended = match &mut self.child {
            Some(child) => child.try_wait()?.is_some(),
            None => !self.id.is_alive(),
        };
        if ended {
            bail!("{} has ended:\n{}", self.name, self.log());
        }
        Ok(())
    }

    /// Kills it as a power cut would.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.id.signal("KILL")?;
        self.wait(DEATH)
    }

    /// Sends it a signal to end, and kills it if it doesn't.
    pub(crate) fn end(&mut self) -> Result<()> {
        // A stopped process acts on it only when it goes on.
        self.id.signal("TERM").and_then(|()| self.id.signal("CONT"))?;
        match self.wait(END) {
            Ok(()) => Ok(()),
            Err(_) => self.kill(),
        }
    }

    fn wait(&mut self, most: Duration) -> Result<()> {
        let start = Instant::now();
        loop {
            let ended = match &mut self.child {
                Some(child) => child.try_wait()?.is_some(),
                None => !self.id.is_alive(),
            };
            if ended {
                return Ok(());
            }
            if start.elapsed() > most {
                bail!("{} does not end", self.name);
            }
            sleep(LOOK);
        }
    }
}

/// The log of a process with this folder.
pub(crate) fn log_file(folder: &Path) -> PathBuf {
    folder.join("log")
}

fn number_file(folder: &Path) -> PathBuf {
    folder.join("process")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_another_process_has_by_now_is_not_taken_for_the_first() {
        let ours = ProcessId::of(std::process::id()).unwrap();
        assert!(ours.is_alive());
        let before = ProcessId { start_ticks: ours.start_ticks - 1, ..ours };
        assert!(!before.is_alive());
        // It would end the test.
        before.signal("KILL").unwrap();
        assert_eq!(ours.to_string().parse::<ProcessId>().unwrap(), ours);
    }
}
