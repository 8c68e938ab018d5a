//! The balancers that a fleet can have here, and how each is started.

use std::env;
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};

use crate::deploy;
use crate::process::Process;

/// A load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balancer {
    /// nginx, with `deploy/nginx/nginx.conf`.
    Nginx,
    /// HAProxy, with `deploy/haproxy/haproxy.cfg`.
    Haproxy,
}

/// How calls are spread over the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// One after the other.
    RoundRobin,
    /// To the one that has the fewest: `least_conn`, `leastconn`.
    LeastConnections,
    /// Each client's to one worker: `ip_hash`, `source`.
    Source,
}

impl Balancer {
    /// All of them, the one to prefer first.
    pub const ALL: [Self; 2] = [Self::Nginx, Self::Haproxy];

    /// What it is called, and so is its program.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    /// Its program, where it is installed.
    pub fn program(self) -> Option<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        // Debian keeps them out of the path of those who are not root.
        let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
        folders.map(|folder| folder.join(self.name())).find(|program| program.is_file())
    }

    /// Those that are installed.
    pub fn installed() -> Vec<Self> {
        Self::ALL.into_iter().filter(|balancer| balancer.program().is_some()).collect()
    }

    /// Starts it in a folder of its own.
    pub(crate) fn start(
        self,
        spread: Spread,
        deploy: &Path,
        folder: &Path,
        listen: SocketAddr,
        workers: &[SocketAddr],
    ) -> Result<Process> {
        let Some(program) = self.program() else {
            bail!("{self} is not installed; on Debian: apt-get install {}", self.package());
        };
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let source = deploy.join(match self {
            Self::Nginx => "nginx/nginx.conf",
            Self::Haproxy => "haproxy/haproxy.cfg",
        });
        let text = fs::read_to_string(&source).with_context(|| format!("reading {}", source.display()))?;
        let text = match self {
            Self::Nginx => deploy::nginx(&text, listen, workers, spread, folder),
            Self::Haproxy => deploy::haproxy(&text, listen, workers, spread),
        };
        let text = text.with_context(|| format!("putting addresses into {}", source.display()))?;
        let file = folder.join("configuration");
        fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        let mut command = Command::new(program);
        match self {
            Self::Nginx => {
                let pid = folder.join("nginx.pid");
                command.args(["-e", "stderr", "-g", &format!("daemon off; pid {};", pid.display()), "-p"]);
                command.arg(folder).arg("-c").arg(&file);
            }
            // Without a master, in the foreground.
            Self::Haproxy => {
                command.arg("-db").arg("-f").arg(&file);
            }
        }
        Process::start(self.name(), folder, &mut command)
    }

    /// Debian's package.
    pub fn package(self) -> &'static str {
        match self {
            Self::Nginx => "nginx-light",
            Self::Haproxy => "haproxy",
        }
    }
}

impl fmt::Display for Balancer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Balancer {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some(balancer) = Self::ALL.into_iter().find(|balancer| balancer.name() == text) else {
            bail!("there is no balancer {text:?}: nginx and haproxy are known");
        };
        Ok(balancer)
    }
}

impl Spread {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::RoundRobin, Self::LeastConnections, Self::Source];
}
