//! Some workers over one set of tables, and the balancer before them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{PathBuf, absolute};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::balancer::{Balancer, Spread};
use crate::cpu_share::CpuShare;
use crate::health;
use crate::ports::free_port;
use crate::process::{Process, ProcessId, log_file};

/// How long a worker or balancer may take until it answers.
const START: Duration = Duration::from_secs(60);

/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(1);

/// What a fleet is to be.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// The program `polarway-server`.
    pub server: PathBuf,
    /// Where everything lies: what workers share, what each has for itself, logs.
    pub folder: PathBuf,
    /// The folder `deploy` of the checkout, with the balancers' files.
    pub deploy: PathBuf,
    /// How many workers there are; three, unless set otherwise.
    pub workers: usize,
    /// What stands before them; nothing, unless set otherwise.
    pub balancer: Option<(Balancer, Spread)>,
    /// The balancer's port; a free one, unless set otherwise.
    pub port: Option<u16>,
    /// Where tables and handles are, if not in folders of the fleet's own.
    pub buckets: Option<Buckets>,
    /// Where the workers call each other, if they run queries together: an address for each of them. Empty, unless
    /// [set](Self::with_peers) otherwise.
    pub peers: Vec<SocketAddr>,
    /// More arguments for each worker.
    pub server_arguments: Vec<String>,
    /// More variables for each worker.
    pub server_variables: Vec<(&'static str, String)>,
}

/// The URLs of the buckets that all workers share.
#[derive(Clone, Debug)]
pub struct Buckets {
    /// The cold tier's.
    pub cold: String,
    /// Where handles are.
    pub state: String,
}

impl FleetConfig {
    /// Three workers and no balancer.
    pub fn new(server: impl Into<PathBuf>, folder: impl Into<PathBuf>, deploy: impl Into<PathBuf>) -> Self {
        Self {
            server: server.into(),
            folder: folder.into(),
            deploy: deploy.into(),
            workers: 3,
            balancer: None,
            port: None,
            buckets: None,
            peers: Vec::new(),
            server_arguments: Vec::new(),
            server_variables: Vec::new(),
        }
    }

    /// The same with workers that run queries together, on free ports of this machine.
    ///
    /// # Errors
    /// There are not enough free ports.
    pub fn with_peers(mut self) -> Result<Self> {
        let address = |_| Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)));
        self.peers = (0..self.workers).map(address).collect::<Result<_>>()?;
        Ok(self)
    }

    /// The cold tier, which all workers share.
    pub fn cold_folder(&self) -> PathBuf {
        self.folder.join("shared").join("cold")
    }

    /// Where handles are, which all workers share as well.
    pub fn state_folder(&self) -> PathBuf {
        self.folder.join("shared").join("state")
    }

    fn worker_folder(&self, index: usize) -> PathBuf {
        self.folder.join(format!("worker-{}", index + 1))
    }

    fn data_folder(&self, index: usize) -> PathBuf {
        self.worker_folder(index).join("data")
    }

    fn balancer_folder(&self) -> PathBuf {
        self.folder.join("balancer")
    }
}

/// Workers and a balancer that run. They are ended when this is dropped, unless they are [left](Self::leave_running).
pub struct Fleet {
    config: FleetConfig,
    workers: Vec<Worker>,
    balancer: Option<(SocketAddr, Process)>,
    is_left: bool,
}

struct Worker {
    address: SocketAddr,
    process: Process,
    /// Ends after the process.
    share: Option<CpuShare>,
}

impl Fleet {
    /// Starts all of it and waits until it answers.
    ///
    /// # Errors
    /// A folder that can't be made, a program that is missing or ends at once, a port that is taken.
    pub fn start(mut config: FleetConfig) -> Result<Self> {
        for folder in [&mut config.server, &mut config.folder, &mut config.deploy] {
            *folder = absolute(&*folder).context("finding the folder that this was started in")?;
        }
        ensure!(
            cfg!(target_os = "linux"),
            "a fleet needs Linux: processes are told apart by what stands in /proc"
        );
        if let Some(port) = config.port {
            // Whoever has it would answer in the balancer's place.
            TcpListener::bind((Ipv4Addr::LOCALHOST, port))
                .with_context(|| format!("port {port} is not to be had: choose another one"))?;
        }
        for folder in [config.cold_folder(), config.state_folder()] {
            fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        }
        let mut fleet = Self { config, workers: Vec::new(), balancer: None, is_left: false };
        for index in 0..fleet.config.workers {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
            let process = start_worker(&fleet.config, index, address)?;
            fleet.workers.push(Worker { address, process, share: None });
        }
        for worker in &mut fleet.workers {
            wait_until_it_serves(&mut worker.process, worker.address)?;
        }
        if let Some((balancer, spread)) = fleet.config.balancer {
            let port = match fleet.config.port {
                Some(port) => port,
                None => free_port()?,
            };
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let workers: Vec<SocketAddr> = fleet.workers.iter().map(|worker| worker.address).collect();
            let folder = fleet.config.balancer_folder();
            let process = balancer.start(spread, &fleet.config.deploy, &folder, address, &workers)?;
            let (_, process) = fleet.balancer.insert((address, process));
            wait_until_it_serves(process, address)?;
        }
        Ok(fleet)
    }

    /// What it was started with.
    pub fn config(&self) -> &FleetConfig {
        &self.config
    }

    /// Where clients connect: to the balancer, or without one to the first worker.
    pub fn url(&self) -> String {
        match (&self.balancer, self.workers.first()) {
            (Some((address, _)), _) => format!("http://{address}"),
            (None, Some(worker)) => format!("http://{}", worker.address),
            (None, None) => String::new(),
        }
    }

    /// How many workers there are.
    pub fn worker_count(&self) -> usize {
        self.workers.len()
    }

    /// Where one worker listens.
    pub fn worker_address(&self, index: usize) -> SocketAddr {
        self.workers[index].address
    }

    /// The same as a URL.
    pub fn worker_url(&self, index: usize) -> String {
        format!("http://{}", self.workers[index].address)
    }

    /// The process of one worker.
    pub fn worker_process(&self, index: usize) -> ProcessId {
        self.workers[index].process.id()
    }

    /// The balancer's process.
    pub fn balancer_process(&self) -> Option<ProcessId> {
        self.balancer.as_ref().map(|(_, process)| process.id())
    }

    /// What one worker has written to its log.
    pub fn worker_log(&self, index: usize) -> String {
        self.workers[index].process.log()
    }

    /// What the balancer has written to its log.
    pub fn balancer_log(&self) -> String {
        self.balancer.as_ref().map(|(_, process)| process.log()).unwrap_or_default()
    }

    /// The data directory of one worker.
    pub fn data_folder(&self, index: usize) -> PathBuf {
        self.config.data_folder(index)
    }

    /// Kills a worker as a power cut would.
    ///
    /// # Errors
    /// When it can't be killed.
    pub fn kill(&mut self, index: usize) -> Result<()> {
        self.workers[index].process.kill()
    }

    /// Stops a worker: it keeps its connections, and does nothing.
    ///
    /// # Errors
    /// When it can't be stopped.
    pub fn stop(&self, index: usize) -> Result<()> {
        self.workers[index].process.id().signal("STOP")
    }

    /// Lets a worker go on that was stopped.
    ///
    /// # Errors
    /// When it can't be told.
    pub fn go_on(&self, index: usize) -> Result<()> {
        self.workers[index].process.id().signal("CONT")
    }

    /// Holds each worker to this part of a core, until it ends or is restarted. The kernel must allow it: that of Linux does so for
    /// root, or for whoever may change its control groups.
    ///
    /// # Errors
    /// There are no control groups, or they can't be changed.
    pub fn hold_workers(&mut self, cores: f64) -> Result<()> {
        for worker in &mut self.workers {
            worker.share = Some(CpuShare::hold(worker.process.id(), cores)?);
        }
        Ok(())
    }

    /// Has the balancer read its configuration again, which ends its clients' connections once their calls are over. Whether it
    /// can do that.
    ///
    /// # Errors
    /// When it can't be told.
    pub fn reload_balancer(&self) -> Result<bool> {
        match (&self.balancer, self.config.balancer) {
            (Some((_, process)), Some((Balancer::Nginx, _))) => process.id().signal("HUP").map(|()| true),
            // HAProxy reloads through a master process, which it does not have here.
            _ => Ok(false),
        }
    }

    /// Starts a worker again, on the port that it had, and ends it before that if it runs. It need not answer yet.
    ///
    /// # Errors
    /// When it can't be ended or started.
    pub fn restart(&mut self, index: usize) -> Result<()> {
        let worker = &mut self.workers[index];
        worker.process.end()?;
        worker.share = None;
        worker.process = start_worker(&self.config, index, worker.address)?;
        Ok(())
    }

    /// Waits until a worker answers.
    ///
    /// # Errors
    /// When it ends, or does not answer in a minute.
    pub fn wait_for(&mut self, index: usize) -> Result<()> {
        let worker = &mut self.workers[index];
        wait_until_it_serves(&mut worker.process, worker.address)
    }

    /// Whether a worker says that it serves.
    pub fn serves(&self, index: usize) -> bool {
        health::serves(self.workers[index].address, ANSWER)
    }

    /// Lets everything run on when this is dropped.
    pub fn leave_running(&mut self) {
        self.is_left = true;
    }

    /// A fleet that was [left running](Self::leave_running), by what its owner wrote down.
    ///
    /// # Errors
    /// When the folder does not hold what a fleet leaves there.
    pub fn left(config: FleetConfig, workers: &[SocketAddr], balancer: Option<SocketAddr>) -> Result<Self> {
        let workers = workers.iter().enumerate().map(|(index, address)| {
            let process = Process::recorded(&worker_name(index), &config.worker_folder(index))?;
            Ok(Worker { address: *address, process, share: None })
        });
        let workers = workers.collect::<Result<Vec<_>>>()?;
        let balancer = match balancer {
            Some(address) => Some((address, Process::recorded("the balancer", &config.balancer_folder())?)),
            None => None,
        };
        Ok(Self { config, workers, balancer, is_left: true })
    }

    /// Ends all of it.
    ///
    /// # Errors
    /// The first that can't be ended; the others are.
    pub fn end(&mut self) -> Result<()> {
        let balancer = self.balancer.iter_mut().map(|(_, process)| process);
        let processes = balancer.chain(self.workers.iter_mut().map(|worker| &mut worker.process));
        // All get their signal before the first is waited for.
        let processes: Vec<&mut Process> = processes.collect();
        for process in &processes {
            process.id().signal("TERM").and_then(|()| process.id().signal("CONT"))?;
        }
        let ended: Vec<Result<()>> = processes.into_iter().map(Process::end).collect();
        ended.into_iter().collect()
    }

    /// Where the log of a worker is.
    pub fn worker_log_file(&self, index: usize) -> PathBuf {
        log_file(&self.config.worker_folder(index))
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if self.is_left {
            return;
        }
        // Calls that run need not finish.
        for worker in &mut self.workers {
            let _ = worker.process.kill();
        }
        // nginx ends its own processes when it gets a signal to end, and not when it is killed.
        if let Some((_, process)) = &mut self.balancer {
            let _ = process.end();
        }
    }
}

fn worker_name(index: usize) -> String {
    format!("worker {}", index + 1)
}

fn start_worker(config: &FleetConfig, index: usize, address: SocketAddr) -> Result<Process> {
    let folder = config.worker_folder(index);
    let mut command = Command::new(&config.server);
    for (name, _) in std::env::vars_os() {
        // What is set for a server of this user's is not for these.
        if name.to_str().is_some_and(|name| name.starts_with("POLARWAY_")) {
            command.env_remove(name);
        }
    }
    command.args(["--bind", &address.to_string(), "--data-dir"]).arg(config.data_folder(index));
    let (cold, state) = match &config.buckets {
        Some(Buckets { cold, state }) => (cold.into(), state.into()),
        None => (config.cold_folder(), config.state_folder()),
    };
    command.arg("--parquet-path").arg(cold);
    command.args(["--handle-store", "external", "--state-dir"]).arg(state);
    if let Some(own) = config.peers.get(index) {
        let all: Vec<String> = config.peers.iter().map(SocketAddr::to_string).collect();
        command.args(["--peer-bind", &own.to_string(), "--peers", &all.join(",")]);
    }
    command.args(&config.server_arguments);
    command.envs(config.server_variables.iter().cloned());
    Process::start(&worker_name(index), &folder, &mut command)
}

fn wait_until_it_serves(process: &mut Process, address: SocketAddr) -> Result<()> {
    let start = Instant::now();
    while !health::serves(address, ANSWER) {
        process.check()?;
        if start.elapsed() > START {
            bail!("nothing answers at {address} after {START:?}; the log says:\n{}", process.log());
        }
        sleep(Duration::from_millis(20));
    }
    // Another program might have answered, on a port that was to be ours.
    process.check()
}
