//! Small chunks that are ready at the same time travel in one message.

use futures::{Stream, StreamExt as _, stream};
use polarway_core::Chunk;

/// The most bytes that are joined. A message costs a client tens of microseconds, and this server less to copy so much.
const JOINED_BYTES: usize = 128 << 10;

/// The most chunks that are taken at once: those of a small table, which are its schema, its rows and its end.
const MOST_CHUNKS: usize = 3;

/// The same chunks, with the small ones of them joined.
pub(super) fn joined<E>(
    chunks: impl Stream<Item = Result<Chunk, E>>,
) -> impl Stream<Item = Result<Chunk, E>> {
    chunks.ready_chunks(MOST_CHUNKS).flat_map(|ready| stream::iter(join(ready)))
}

fn join<E>(ready: Vec<Result<Chunk, E>>) -> Vec<Result<Chunk, E>> {
    let mut groups: Vec<Result<Vec<Chunk>, E>> = Vec::with_capacity(ready.len());
    for chunk in ready {
        match (chunk, groups.last_mut()) {
            (Ok(chunk), Some(Ok(group))) if bytes(group) + chunk.ipc.len() <= JOINED_BYTES => {
                group.push(chunk);
            }
            (chunk, _) => groups.push(chunk.map(|chunk| vec![chunk])),
        }
    }
    let joined = |mut group: Vec<Chunk>| match group.len() {
        1 => group.swap_remove(0),
        _ => Chunk::joined(&group),
    };
    groups.into_iter().map(|group| group.map(joined)).collect()
}

fn bytes(chunks: &[Chunk]) -> usize {
    chunks.iter().map(|chunk| chunk.ipc.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(first_row: u64, rows: u64, bytes: usize) -> Chunk {
        Chunk { ipc: vec![rows as u8; bytes].into(), first_row, rows }
    }

    fn sizes(chunks: Vec<Chunk>) -> Vec<(u64, u64, usize)> {
        let joined = join::<()>(chunks.into_iter().map(Ok).collect());
        joined.into_iter().flatten().map(|chunk| (chunk.first_row, chunk.rows, chunk.ipc.len())).collect()
    }

    #[test]
    fn a_small_table_is_one_chunk() {
        assert_eq!(sizes(vec![chunk(7, 0, 500), chunk(7, 3, 64_000), chunk(10, 0, 8)]), [(7, 3, 64_508)]);
        let joined = join::<()>(vec![Ok(chunk(0, 1, 2)), Ok(chunk(1, 2, 3))]);
        assert_eq!(joined[0].as_ref().unwrap().ipc[..], [1, 1, 2, 2, 2]);
    }

    #[test]
    fn large_chunks_stay_as_they_are() {
        let large = JOINED_BYTES;
        let expected = [(0, 0, 500), (0, 5, large), (5, 2, 8)];
        assert_eq!(sizes(vec![chunk(0, 0, 500), chunk(0, 5, large), chunk(5, 2, 8)]), expected);
        assert_eq!(sizes(vec![chunk(0, 5, large / 2), chunk(5, 5, large / 2)]), [(0, 10, large)]);
    }

    #[test]
    fn an_error_comes_behind_what_was_ready_before_it() {
        let joined = join(vec![Ok(chunk(0, 0, 1)), Ok(chunk(0, 1, 1)), Err("broken")]);
        assert!(matches!(&joined[..], [Ok(chunk), Err("broken")] if chunk.rows == 1));
    }
}
