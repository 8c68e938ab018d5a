//! The body of a message to arrays.
//!
//! A batch's metadata lists a node (length, count of nulls) for each array and the place of each
//! buffer, in the order in which a walk through the schema meets them. This is that walk. It passes
//! parts of the body on without a copy, compares every number with the limits and the body, and lets
//! Arrow validate the contents of each array as it is built.

use std::collections::HashMap;

use arrow_array::{ArrayRef, make_array, new_empty_array};
use arrow_buffer::Buffer;
use arrow_data::{ArrayData, ArrayDataBuilder, BufferSpec, layout};
use arrow_ipc::{FieldNode, MetadataVersion};
use arrow_schema::{ArrowError, DataType, Field, UnionMode};
use flatbuffers::VectorIter;

use crate::decompress::Codec;
use crate::limits::within;
use crate::schema::dictionary_id;
use crate::{DecodeLimits, Error, Result};

/// What a batch reads from besides its own message.
pub(crate) struct Context<'a> {
    pub(crate) version: MetadataVersion,
    pub(crate) limits: &'a DecodeLimits,
    pub(crate) dictionaries: &'a HashMap<i64, ArrayRef>,
    /// How many more bytes may be allocated before the caller gets its batches.
    pub(crate) allocation_left: &'a mut usize,
}

/// Reads the arrays of one message.
pub(crate) struct BodyReader<'a, 'c> {
    context: &'a mut Context<'c>,
    body: &'a Buffer,
    codec: Option<Codec>,
    nodes: VectorIter<'a, FieldNode>,
    buffers: VectorIter<'a, arrow_ipc::Buffer>,
    view_buffer_counts: Option<VectorIter<'a, i64>>,
    rows: usize,
    /// How many bytes of body the buffers may still name. Together they can't name more than there
    /// are: naming the same bytes many times would multiply them when they have to be copied.
    body_left: usize,
    /// How many bytes the message's buffers may still decode into.
    decoded_left: usize,
}

/// The length of an array and its validity, if it has nulls.
struct Node {
    length: usize,
    null_count: usize,
}

impl<'a, 'c> BodyReader<'a, 'c> {
    pub(crate) fn new(
        batch: arrow_ipc::RecordBatch<'a>,
        body: &'a Buffer,
        context: &'a mut Context<'c>,
    ) -> Result<Self> {
        let nodes = batch.nodes().ok_or_else(|| Error::malformed("a batch without nodes"))?;
        let buffers = batch.buffers().ok_or_else(|| Error::malformed("a batch without buffers"))?;
        Ok(Self {
            codec: batch.compression().map(Codec::new).transpose()?,
            nodes: nodes.iter(),
            buffers: buffers.iter(),
            view_buffer_counts: batch.variadicBufferCounts().map(|counts| counts.iter()),
            rows: within("a number of rows", batch.length(), context.limits.max_rows)?,
            body_left: body.len(),
            decoded_left: context.limits.max_decoded_bytes,
            context,
            body,
        })
    }

    /// How many rows the batch declares.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// What the message may ask for.
    pub(crate) fn limits(&self) -> &'c DecodeLimits {
        self.context.limits
    }

    /// How many bytes the buffers read so far came to.
    pub(crate) fn decoded_bytes(&self) -> usize {
        self.context.limits.max_decoded_bytes - self.decoded_left
    }

    /// Reads a column, which must have as many values as the batch has rows.
    pub(crate) fn column(&mut self, field: &Field) -> Result<ArrayRef> {
        let invalid = |source| Error::InvalidColumn { column: field.name().clone(), source };
        let data = self.array(field, &invalid)?;
        if data.len() != self.rows {
            return Err(Error::Malformed(format!(
                "column {:?} has {} values in a batch of {} rows",
                field.name(),
                data.len(),
                self.rows
            )));
        }
        Ok(make_array(data))
    }

    /// Makes sure that nothing is left behind the columns.
    pub(crate) fn finish(mut self) -> Result<()> {
        let more_views = self.view_buffer_counts.as_mut().and_then(Iterator::next).is_some();
        if self.nodes.next().is_some() || self.buffers.next().is_some() || more_views {
            return Err(Error::malformed("a batch has more arrays than its schema has fields"));
        }
        Ok(())
    }

    fn array(&mut self, field: &Field, invalid: &dyn Fn(ArrowError) -> Error) -> Result<ArrayData> {
        let data_type = field.data_type();
        let node = self.node()?;
        let mut array = ArrayData::builder(data_type.clone()).len(node.length);
        let mut buffers = Vec::new();
        match data_type {
            DataType::Null => {
                if node.null_count != node.length {
                    return Err(Error::malformed("a column of nulls has other values"));
                }
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => {
                array = self.with_validity(array, &node)?;
                buffers.extend([self.buffer()?, self.buffer()?]);
            }
            DataType::Utf8View | DataType::BinaryView => {
                array = self.with_validity(array, &node)?;
                let counts = self.view_buffer_counts.as_mut();
                let count = counts
                    .and_then(Iterator::next)
                    .ok_or_else(|| Error::malformed("a column of views without a count of its buffers"))?;
                let count = within("a number of buffers", count, self.buffers.len())?;
                buffers.push(self.buffer()?);
                for _ in 0..count {
                    buffers.push(self.buffer()?);
                }
            }
            DataType::List(child) | DataType::LargeList(child) | DataType::Map(child, _) => {
                array = self.with_validity(array, &node)?;
                buffers.push(self.buffer()?);
                array = array.add_child_data(self.array(child, invalid)?);
            }
            DataType::ListView(child) | DataType::LargeListView(child) => {
                array = self.with_validity(array, &node)?;
                buffers.extend([self.buffer()?, self.buffer()?]);
                array = array.add_child_data(self.array(child, invalid)?);
            }
            DataType::FixedSizeList(child, size) => {
                array = self.with_validity(array, &node)?;
                let values = self.array(child, invalid)?;
                self.check_fixed_size_list(&node, *size, values.len())?;
                array = array.add_child_data(values);
            }
            DataType::Struct(children) => {
                array = self.with_validity(array, &node)?;
                for child in children {
                    array = array.add_child_data(self.array(child, invalid)?);
                }
            }
            DataType::RunEndEncoded(run_ends, values) => {
                array = array.add_child_data(self.array(run_ends, invalid)?);
                array = array.add_child_data(self.array(values, invalid)?);
            }
            DataType::Union(children, mode) => {
                // Before version 5 a union had a validity of its own. No reader uses it.
                if self.context.version < MetadataVersion::V5 {
                    self.buffer()?;
                }
                buffers.push(self.buffer()?);
                if *mode == UnionMode::Dense {
                    buffers.push(self.buffer()?);
                }
                for (_, child) in children.iter() {
                    array = array.add_child_data(self.array(child, invalid)?);
                }
            }
            DataType::Dictionary(_, values) => {
                array = self.with_validity(array, &node)?;
                buffers.push(self.buffer()?);
                let known = dictionary_id(field).and_then(|id| self.context.dictionaries.get(&id));
                // A dictionary may be left out when all values are null.
                let values = known.cloned().unwrap_or_else(|| new_empty_array(values));
                array = array.add_child_data(values.to_data());
            }
            _fixed_width => {
                array = self.with_validity(array, &node)?;
                buffers.push(self.buffer()?);
            }
        }
        let specs = layout(data_type).buffers;
        for (buffer, spec) in buffers.iter_mut().zip(&specs) {
            if let BufferSpec::FixedWidth { byte_width, .. } = spec {
                // Arrow panics on a piece of an element at the end.
                let whole = buffer.len() - buffer.len().checked_rem(*byte_width).unwrap_or(0);
                *buffer = buffer.slice_with_length(0, whole);
            }
        }
        // `build` validates everything but the children, which were validated when they were built.
        array.buffers(buffers).align_buffers(true).build().map_err(invalid)
    }

    fn node(&mut self) -> Result<Node> {
        let node = self
            .nodes
            .next()
            .ok_or_else(|| Error::malformed("a batch has fewer arrays than its schema has fields"))?;
        let length = within("a number of values", node.length(), self.context.limits.max_rows)?;
        match usize::try_from(node.null_count()) {
            Ok(null_count) if null_count <= length => Ok(Node { length, null_count }),
            _ => Err(Error::malformed("an array has more nulls than values")),
        }
    }

    fn with_validity(&mut self, array: ArrayDataBuilder, node: &Node) -> Result<ArrayDataBuilder> {
        let validity = self.buffer()?;
        if node.null_count == 0 {
            return Ok(array);
        }
        if validity.len() < node.length.div_ceil(8) {
            return Err(Error::malformed("an array with nulls has no place to mark them"));
        }
        Ok(array.null_bit_buffer(Some(validity)).null_count(node.null_count))
    }

    fn buffer(&mut self) -> Result<Buffer> {
        let buffer = self
            .buffers
            .next()
            .ok_or_else(|| Error::malformed("a batch has fewer buffers than its schema needs"))?;
        let outside = || Error::malformed("a buffer lies outside the body of its message");
        let start = usize::try_from(buffer.offset()).map_err(|_| outside())?;
        let length = usize::try_from(buffer.length()).map_err(|_| outside())?;
        match start.checked_add(length) {
            Some(end) if end <= self.body.len() => {}
            _ => return Err(outside()),
        }
        self.body_left = self
            .body_left
            .checked_sub(length)
            .ok_or_else(|| Error::malformed("the buffers of a batch overlap"))?;

        let stored = self.body.slice_with_length(start, length);
        let buffer = match &mut self.codec {
            None => stored,
            Some(codec) => {
                let limit = self.decoded_left.min(*self.context.allocation_left);
                let buffer = codec.decompress(&stored, limit)?;
                *self.context.allocation_left = self.context.allocation_left.saturating_sub(buffer.len());
                buffer
            }
        };
        let decoded = within("a size of decoded buffers", buffer.len() as u64, self.decoded_left)?;
        self.decoded_left -= decoded;
        Ok(buffer)
    }

    /// Arrow multiplies these without a check, and expands the validity to one bit per child.
    fn check_fixed_size_list(&mut self, node: &Node, size: i32, values: usize) -> Result<()> {
        let expected = usize::try_from(size).ok().and_then(|size| size.checked_mul(node.length));
        if expected != Some(values) {
            return Err(Error::Malformed(format!("{} lists of {size} have {values} values", node.length)));
        }
        if node.null_count > 0 {
            let bits = within("a size of fixed-size lists", values.div_ceil(8) as u64, self.decoded_left)?;
            self.decoded_left -= bits;
        }
        Ok(())
    }
}
