//! What a client does, and what must come of it. A new action is a variant, a weight, and a function.

use futures::TryStreamExt as _;
use polarway_client::{At, Reason, Table};

use super::actor::{Actor, Wrong, shared_of};
use super::handles;
use super::model::{compare, count_and_sum};
use super::table::{numbers_of, one_row, table_of};

pub(super) type Outcome = Result<(), Wrong>;

#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Store,
    Append,
    Delete,
    Load,
    LoadOlder,
    Query,
    QueryOlder,
    Describe,
    AppendShared,
    LoadShared,
    QueryShared,
    StreamFixed,
    QueryFixed,
    Keep,
    LoadKept,
    QueryKept,
    FollowKept,
    ExtendKept,
    DropKept,
    QueryResumably,
}

/// Each action with how often it is picked.
const WEIGHTS: [(Action, u32); 20] = [
    (Action::Store, 12),
    (Action::Append, 16),
    (Action::Delete, 2),
    (Action::Load, 14),
    (Action::LoadOlder, 6),
    (Action::Query, 14),
    (Action::QueryOlder, 4),
    (Action::Describe, 4),
    (Action::AppendShared, 10),
    (Action::LoadShared, 2),
    (Action::QueryShared, 2),
    (Action::StreamFixed, 4),
    (Action::QueryFixed, 6),
    (Action::Keep, 8),
    (Action::LoadKept, 8),
    (Action::QueryKept, 8),
    (Action::FollowKept, 4),
    (Action::ExtendKept, 3),
    (Action::DropKept, 4),
    (Action::QueryResumably, 3),
];

impl Action {
    pub(super) fn pick(noise: &mut fastrand::Rng) -> Self {
        let total: u32 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
        let mut drawn = noise.u32(..total);
        for (action, weight) in WEIGHTS {
            match drawn.checked_sub(weight) {
                Some(left) => drawn = left,
                None => return action,
            }
        }
        Self::Load
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Append => "append",
            Self::Delete => "delete",
            Self::Load => "load",
            Self::LoadOlder => "load an older version",
            Self::Query => "query",
            Self::QueryOlder => "query an older version",
            Self::Describe => "describe",
            Self::AppendShared => "append, shared",
            Self::LoadShared => "load, shared",
            Self::QueryShared => "query, shared",
            Self::StreamFixed => "load_stream, fixed",
            Self::QueryFixed => "query, fixed",
            Self::Keep => "query_handle",
            Self::LoadKept => "load a handle",
            Self::QueryKept => "query a handle",
            Self::FollowKept => "filter a handle",
            Self::ExtendKept => "extend a handle",
            Self::DropKept => "drop a handle",
            Self::QueryResumably => "query, resumable",
        }
    }

    pub(super) async fn run(self, actor: &mut Actor) -> Outcome {
        match self {
            Self::Store => store(actor).await,
            Self::Append => append(actor).await,
            Self::Delete => delete(actor).await,
            Self::Load => load(actor).await,
            Self::LoadOlder => load_older(actor).await,
            Self::Query => query(actor).await,
            Self::QueryOlder => query_older(actor).await,
            Self::Describe => describe(actor).await,
            Self::AppendShared => append_shared(actor).await,
            Self::LoadShared => load_shared(actor).await,
            Self::QueryShared => query_shared(actor).await,
            Self::StreamFixed => stream_fixed(actor).await,
            Self::QueryFixed => query_fixed(actor).await,
            Self::Keep => handles::keep(actor).await,
            Self::LoadKept => handles::load(actor).await,
            Self::QueryKept => handles::query(actor).await,
            Self::FollowKept => handles::follow(actor).await,
            Self::ExtendKept => handles::extend(actor).await,
            Self::DropKept => handles::remove(actor).await,
            Self::QueryResumably => handles::query_resumably(actor).await,
        }
    }
}

async fn store(actor: &mut Actor) -> Outcome {
    let (index, rows) = (actor.some_owned(), actor.fresh_rows());
    let owned = &mut actor.owned[index];
    let published = actor.client.store(&owned.name, table_of(rows.clone())).await?;
    Ok(owned.stored(published.version, rows)?)
}

async fn append(actor: &mut Actor) -> Outcome {
    let (index, rows) = (actor.some_owned(), actor.fresh_rows());
    let owned = &mut actor.owned[index];
    let appended = actor.client.append(&owned.name, table_of(rows.clone())).await;
    if owned.rows().is_none() {
        return must_be_unknown(&owned.name, appended);
    }
    Ok(owned.appended(appended?.version, rows)?)
}

async fn delete(actor: &mut Actor) -> Outcome {
    let index = actor.some_owned();
    let owned = &mut actor.owned[index];
    let deleted = actor.client.delete(&owned.name).await;
    if owned.rows().is_none() {
        return must_be_unknown(&owned.name, deleted);
    }
    Ok(owned.deleted(deleted?.version)?)
}

async fn load(actor: &mut Actor) -> Outcome {
    let index = actor.some_owned();
    let owned = &actor.owned[index];
    let loaded = actor.client.load(&owned.name).await;
    match owned.rows() {
        None => must_be_unknown(&owned.name, loaded),
        Some(rows) => Ok(compare(&owned.name, rows, &numbers_of(&loaded?)?)?),
    }
}

async fn load_older(actor: &mut Actor) -> Outcome {
    let index = actor.some_owned();
    let owned = &actor.owned[index];
    let Some((version, rows)) = owned.some_version(&mut actor.noise) else { return Ok(()) };
    let loaded = actor.client.load_at(&owned.name, At::Version(version)).await?;
    Ok(compare(&owned.name, rows, &numbers_of(&loaded)?)?)
}

async fn query(actor: &mut Actor) -> Outcome {
    let index = actor.some_owned();
    let owned = &actor.owned[index];
    let Some(rows) = owned.rows() else { return Ok(()) };
    let sql = format!("SELECT count(*), sum(n)::BIGINT FROM \"{}\"", owned.name);
    let found = one_row(&actor.client.query(&sql).await?)?;
    must_be(&owned.name, &found, rows)
}

async fn query_older(actor: &mut Actor) -> Outcome {
    let index = actor.some_owned();
    let owned = &actor.owned[index];
    let Some((version, rows)) = owned.some_version(&mut actor.noise) else { return Ok(()) };
    let sql = format!("SELECT count(*), sum(n)::BIGINT FROM \"{}\" AT (VERSION => {version})", owned.name);
    let found = one_row(&actor.client.query(&sql).await?)?;
    must_be(&owned.name, &found, rows)
}

async fn describe(actor: &mut Actor) -> Outcome {
    let index = actor.some_owned();
    let owned = &actor.owned[index];
    let described = actor.client.describe(&owned.name).await;
    let Some(rows) = owned.rows() else { return must_be_unknown(&owned.name, described) };
    let described = described?;
    let expected = (owned.version, count_and_sum(rows).0 as u64);
    if (described.version, described.rows) != expected {
        return Err(Wrong(format!("{}: {described:?} and not {expected:?}", owned.name)));
    }
    Ok(())
}

async fn append_shared(actor: &mut Actor) -> Outcome {
    let (world, index) = actor.some_shared();
    let shared = shared_of(&world, index);
    let rows = shared.begin(actor.noise.i64(1..200));
    actor.client.append(&shared.name, table_of(rows.clone())).await?;
    shared.acknowledge(&rows);
    Ok(())
}

async fn load_shared(actor: &mut Actor) -> Outcome {
    let (world, index) = actor.some_shared();
    let shared = shared_of(&world, index);
    let acknowledged = shared.acknowledged();
    let found = numbers_of(&actor.client.load(&shared.name).await?)?;
    Ok(shared.check(&acknowledged, &found)?)
}

async fn query_shared(actor: &mut Actor) -> Outcome {
    let (world, index) = actor.some_shared();
    let shared = shared_of(&world, index);
    let least = shared.rows_acknowledged();
    let sql = format!("SELECT count(*), count(DISTINCT n) FROM \"{}\"", shared.name);
    let found = one_row(&actor.client.query(&sql).await?)?;
    let most = shared.rows_begun();
    if found[0] != found[1] || !(least..=most).contains(&found[0]) {
        return Err(Wrong(format!("{}: {found:?} rows, and not {least} to {most}", shared.name)));
    }
    Ok(())
}

async fn stream_fixed(actor: &mut Actor) -> Outcome {
    let (name, rows) = actor.noise.choice(&actor.world.fixed).expect("there are some");
    let stream = actor.client.load_stream(name).await?;
    let schema = stream.schema().clone();
    let table = Table::new(schema, stream.try_collect::<Vec<_>>().await?);
    Ok(compare(name, std::slice::from_ref(rows), &numbers_of(&table)?)?)
}

async fn query_fixed(actor: &mut Actor) -> Outcome {
    let (name, rows) = actor.noise.choice(&actor.world.fixed).expect("there are some");
    let from = actor.noise.i64(rows.clone());
    let sql = format!("SELECT n, text FROM \"{name}\" WHERE n >= {from} AND n < {from} + 10000 ORDER BY n");
    let table = actor.client.query(&sql).await?;
    let expected = from..(from + 10_000).min(rows.end);
    Ok(compare(name, std::slice::from_ref(&expected), &numbers_of(&table)?)?)
}

pub(super) fn must_be(name: &str, found: &[i64], rows: &[std::ops::Range<i64>]) -> Outcome {
    let (count, sum) = count_and_sum(rows);
    if found != [count, sum] {
        return Err(Wrong(format!("{name}: count and sum are {found:?} and not {count} and {sum}")));
    }
    Ok(())
}

/// A call about a dataset that is not there.
fn must_be_unknown<T>(name: &str, answer: polarway_client::Result<T>) -> Outcome {
    match answer {
        Ok(_) => Err(Wrong(format!("{name} is there, and was deleted or never stored"))),
        Err(error) if error.reason() == Some(Reason::UnknownDataset) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
