//! What a client does with results that stay on the server.

use std::ops::Range;

use polarway_client::{Handle, QueryOptions, Reason, Table};

use super::actions::{Outcome, must_be};
use super::actor::{Actor, Wrong};
use super::model::compare;
use super::table::{numbers_of, one_row};
use futures::TryStreamExt as _;

/// How many results a client keeps; the oldest goes when there is one more.
const MOST: usize = 4;

/// A result, and the rows that it must have.
pub(super) struct KeptResult {
    handle: Handle,
    rows: Vec<Range<i64>>,
}

pub(super) async fn keep(actor: &mut Actor) -> Outcome {
    let index = actor.some_owned();
    let owned = &actor.owned[index];
    let Some(rows) = owned.rows().map(<[_]>::to_vec) else { return Ok(()) };
    let handle = actor.client.query_handle(&format!("FROM \"{}\"", owned.name)).await?;
    let count: i64 = rows.iter().map(|range| range.end - range.start).sum();
    if handle.rows() != count as u64 {
        return Err(Wrong(format!("{}: {handle:?} and not {count} rows", owned.name)));
    }
    actor.results.push(KeptResult { handle, rows });
    if actor.results.len() > MOST {
        actor.results.remove(0);
    }
    Ok(())
}

pub(super) async fn load(actor: &mut Actor) -> Outcome {
    let Some(index) = some_result(actor) else { return Ok(()) };
    let KeptResult { handle, rows } = &actor.results[index];
    Ok(compare(handle.id(), rows, &numbers_of(&handle.load().await?)?)?)
}

pub(super) async fn query(actor: &mut Actor) -> Outcome {
    let Some(index) = some_result(actor) else { return Ok(()) };
    let KeptResult { handle, rows } = &actor.results[index];
    let sql = format!("SELECT count(*), sum(n)::BIGINT FROM {}", handle.id());
    must_be(handle.id(), &one_row(&actor.client.query(&sql).await?)?, rows)
}

pub(super) async fn follow(actor: &mut Actor) -> Outcome {
    let Some(index) = some_result(actor) else { return Ok(()) };
    let KeptResult { handle, rows } = &actor.results[index];
    let Some(middle) = rows.last().map(|last| last.start) else { return Ok(()) };
    let rest = handle.filter(&format!("n >= {middle}")).await?;
    let expected: Vec<Range<i64>> = rows.iter().filter(|range| range.start >= middle).cloned().collect();
    Ok(compare(rest.id(), &expected, &numbers_of(&rest.load().await?)?)?)
}

pub(super) async fn extend(actor: &mut Actor) -> Outcome {
    let Some(index) = some_result(actor) else { return Ok(()) };
    Ok(actor.results[index].handle.extend(None).await?)
}

pub(super) async fn remove(actor: &mut Actor) -> Outcome {
    let Some(index) = some_result(actor) else { return Ok(()) };
    let handle = actor.results.remove(index).handle;
    let id = handle.id().to_owned();
    handle.discard().await?;
    match actor.client.load(&id).await {
        Err(error) if error.reason() == Some(Reason::HandleDropped) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(Wrong(format!("{id} was dropped and is there"))),
    }
}

pub(super) async fn query_resumably(actor: &mut Actor) -> Outcome {
    let (name, rows) = actor.noise.choice(&actor.world.fixed).expect("there are some");
    let options = QueryOptions { resumable: true, ..QueryOptions::default() };
    let stream = actor.client.query_stream_with(&format!("FROM \"{name}\""), options).await?;
    let schema = stream.schema().clone();
    let table = Table::new(schema, stream.try_collect::<Vec<_>>().await?);
    Ok(compare(name, std::slice::from_ref(rows), &numbers_of(&table)?)?)
}

fn some_result(actor: &mut Actor) -> Option<usize> {
    (!actor.results.is_empty()).then(|| actor.noise.usize(..actor.results.len()))
}
