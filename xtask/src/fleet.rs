//! `cargo xtask fleet`: workers behind a load balancer, on this machine, until `fleet down`.

mod state;

use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt as _;
use polarway_fleet::{Balancer, Fleet, FleetConfig, Spread};

use crate::folders::{cache_folder, workspace_root};
use crate::{Subcommand, cargo, libduckdb};

pub(crate) const SUBCOMMAND: Subcommand = Subcommand {
    name: "fleet",
    summary: "start workers behind a load balancer on this machine, and end them",
    usage: "
Usage: cargo xtask fleet up [-n WORKERS] [--balancer nginx|haproxy] [--port N] [--programs DIR] [-- FLAGS OF THE WORKERS]
       cargo xtask fleet status
       cargo xtask fleet restart WORKER
       cargo xtask fleet down

  up       builds the programs in release mode and starts three workers, or as many as -n says, over shared tables, behind
           nginx, or HAProxy, with the files of deploy/, at port 50052; they run on in the background. With --programs it
           builds nothing and takes those of that folder
  status   tells which processes run, and whether each worker answers
  restart  starts a worker (1, 2, …) again, and ends it before that if it runs
  down     ends exactly what `up` started; what was stored stays for the next `up`
",
    run,
};

/// Where clients connect by default.
const PORT: u16 = 50052;

fn run(mut arguments: lexopt::Parser) -> Result<()> {
    let Some(Value(action)) = arguments.next()? else {
        bail!("say what to do: up, status, restart or down; --help tells more");
    };
    let folder = cache_folder()?.join("fleet");
    match action.string()?.as_str() {
        "up" => up(Wishes::read(arguments)?, folder),
        "status" => {
            finish(arguments)?;
            status(&folder)
        }
        "restart" => {
            let worker = arguments.value().context("say which worker: 1 is the first")?.parse()?;
            finish(arguments)?;
            restart(&folder, worker)
        }
        "down" => {
            finish(arguments)?;
            down(&folder)
        }
        other => bail!("a fleet can't {other:?}: up, status, restart or down"),
    }
}

fn finish(mut arguments: lexopt::Parser) -> Result<()> {
    match arguments.next()? {
        Some(argument) => Err(argument.unexpected().into()),
        None => Ok(()),
    }
}

/// What the caller of `up` said.
struct Wishes {
    workers: usize,
    balancer: Option<Balancer>,
    port: u16,
    programs: Option<PathBuf>,
    flags: Vec<String>,
}

impl Wishes {
    fn read(mut arguments: lexopt::Parser) -> Result<Self> {
        let mut wishes = Self { workers: 3, balancer: None, port: PORT, programs: None, flags: Vec::new() };
        while let Some(argument) = arguments.next()? {
            match argument {
                Short('n') | Long("workers") => wishes.workers = arguments.value()?.parse()?,
                Long("balancer") => wishes.balancer = Some(arguments.value()?.string()?.parse()?),
                Long("port") => wishes.port = arguments.value()?.parse()?,
                Long("programs") => wishes.programs = Some(arguments.value()?.into()),
                // lexopt swallows the first `--` and gives what follows as values.
                Value(first) => {
                    wishes.flags.push(first.string()?);
                    for flag in arguments.raw_args()? {
                        wishes.flags.push(flag.string()?);
                    }
                }
                other => return Err(other.unexpected().into()),
            }
        }
        ensure!((1..=100).contains(&wishes.workers), "a fleet has 1 to 100 workers");
        Ok(wishes)
    }
}

fn up(wishes: Wishes, folder: PathBuf) -> Result<()> {
    if let Some(fleet) = state::read(&folder)? {
        if is_up(&fleet) {
            bail!("a fleet is up already, at {}: `cargo xtask fleet down` ends it", fleet.url());
        }
        state::forget(&folder)?;
    }
    let balancer = match wishes.balancer {
        Some(balancer) => balancer,
        None => *Balancer::installed().first().context(
            "there is no balancer: install nginx or HAProxy (on Debian: apt-get install nginx-light, or haproxy)",
        )?,
    };
    if balancer.program().is_none() {
        bail!("{balancer} is not installed; on Debian: apt-get install {}", balancer.package());
    }
    let programs = match wishes.programs {
        Some(programs) => programs,
        None => build()?,
    };
    let server = programs.join(format!("polarway-server{EXE_SUFFIX}"));
    let mut config = FleetConfig::new(server, &folder, workspace_root().join("deploy"));
    config.workers = wishes.workers;
    config.balancer = Some((balancer, Spread::RoundRobin));
    config.port = Some(wishes.port);
    config.server_arguments = wishes.flags;
    let config = config.with_peers()?;
    // The logs are those of this fleet. What was stored stays.
    remove_logs(&folder);
    let mut fleet = Fleet::start(config)?;
    // From here on the next commands must be able to find it.
    state::write(&folder, &fleet)?;
    fleet.leave_running();
    tell(&fleet, balancer, &programs);
    Ok(())
}

/// Builds the programs; the folder that they are in.
fn build() -> Result<PathBuf> {
    let libduckdb = libduckdb::ensure()?;
    eprintln!("fleet: building in release mode (the first time takes minutes)");
    let packages = ["--release", "--package", "polarway-cli", "--package", "polarway-server-bin", "--bins"];
    cargo::run(libduckdb.cargo("build").args(packages))?;
    Ok(cargo::target_folder()?.join("release"))
}

fn remove_logs(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let _ = fs::remove_file(entry.path().join("log"));
    }
}

fn tell(fleet: &Fleet, balancer: Balancer, programs: &Path) {
    let workers = (0..fleet.worker_count()).map(|index| {
        let (address, process) = (fleet.worker_address(index), fleet.worker_process(index).number);
        format!("  worker {}   http://{address}   process {process}\n", index + 1)
    });
    let (url, folder) = (fleet.url(), fleet.config().folder.display());
    let workers: String = workers.collect();
    let program = programs.join(format!("polarway{EXE_SUFFIX}"));
    let program = program.display();
    println!(
        "A fleet of {} is up behind {balancer}, at {url}\n\n{workers}\n\
         use it       {program} ls --url {url}\n\
         together     {program} workers --url {url}, and query --url {url} --engine distributed SQL\n\
         kill one     kill -9 {}, then: cargo xtask fleet restart 1\n\
         logs, data   {folder}/worker-*/log, {folder}/balancer/log, {folder}/shared\n\
         end it       cargo xtask fleet down",
        fleet.worker_count(),
        fleet.worker_process(0).number,
    );
}

fn is_up(fleet: &Fleet) -> bool {
    let workers = (0..fleet.worker_count()).map(|index| fleet.worker_process(index));
    workers.chain(fleet.balancer_process()).any(|process| process.is_alive())
}

fn recorded(folder: &Path) -> Result<Fleet> {
    state::read(folder)?.context("no fleet is up: `cargo xtask fleet up` starts one")
}

fn status(folder: &Path) -> Result<()> {
    let fleet = recorded(folder)?;
    let (url, process) = (fleet.url(), fleet.balancer_process().context("it has no balancer")?);
    println!("balancer   {url}   process {}   {}", process.number, runs(process.is_alive()));
    for index in 0..fleet.worker_count() {
        let process = fleet.worker_process(index);
        let answers = match (process.is_alive(), fleet.serves(index)) {
            (true, true) => "answers",
            (true, false) => "runs, but does not answer",
            (false, _) => "does not run",
        };
        println!(
            "worker {}   {}   process {}   {answers}",
            index + 1,
            fleet.worker_url(index),
            process.number
        );
    }
    Ok(())
}

fn runs(is_alive: bool) -> &'static str {
    if is_alive { "runs" } else { "does not run" }
}

fn restart(folder: &Path, worker: usize) -> Result<()> {
    let mut fleet = recorded(folder)?;
    let count = fleet.worker_count();
    ensure!((1..=count).contains(&worker), "there is no worker {worker}: there are 1 to {count}");
    fleet.restart(worker - 1)?;
    fleet.wait_for(worker - 1)?;
    println!("worker {worker} is process {} now", fleet.worker_process(worker - 1).number);
    Ok(())
}

fn down(folder: &Path) -> Result<()> {
    let mut fleet = recorded(folder)?;
    fleet.end()?;
    state::forget(folder)?;
    println!("the fleet has ended; what was stored stays in {}", fleet.config().cold_folder().display());
    Ok(())
}
