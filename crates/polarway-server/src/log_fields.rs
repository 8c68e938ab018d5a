//! How the fields of log lines and their spans are written as text: as `tracing_subscriber` does by default, only faster.
//!
//! The fields of a call's span are formatted for each call, whether a line is written under it or not.

use std::error::Error;
use std::fmt::{self, Debug};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::{RecordFields, VisitOutput as _};
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};

/// Writes fields as `name=value`.
pub(crate) struct TextFields;

impl<'w> FormatFields<'w> for TextFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let plain = String::with_capacity(PLAIN_BYTES);
        let mut visitor = TextVisitor { writer, plain, is_empty: true, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.flush();
        visitor.result
    }
}

/// Enough for the fields of a call.
const PLAIN_BYTES: usize = 160;

struct TextVisitor<'w> {
    writer: Writer<'w>,
    /// Fields that are not written yet: many at once are written faster than each alone.
    plain: String,
    is_empty: bool,
    result: fmt::Result,
}

impl TextVisitor<'_> {
    fn flush(&mut self) {
        if self.result.is_ok() && !self.plain.is_empty() {
            self.result = self.writer.write_str(&self.plain);
            self.plain.clear();
        }
    }

    /// Leaves a field to the default.
    fn by_default(&mut self, field: &Field, record: impl FnOnce(&mut DefaultVisitor<'_>)) {
        self.flush();
        // The default leaves these out.
        if self.result.is_err() || field.name().starts_with("log.") {
            return;
        }
        let mut visitor = DefaultVisitor::new(self.writer.by_ref(), self.is_empty);
        record(&mut visitor);
        self.result = visitor.finish();
        self.is_empty = false;
    }

    fn add_plain(&mut self, name: &str, value: &str) {
        if !self.is_empty {
            self.plain.push(' ');
        }
        self.is_empty = false;
        self.plain.push_str(name);
        self.plain.push_str("=\"");
        self.plain.push_str(value);
        self.plain.push('"');
    }
}

/// Whether the default writes this value as it is, in quotes.
fn is_plain(value: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() & (byte != b'"') & (byte != b'\\') & (byte != b'\'');
    // All bytes are looked at, so that several are at the same time.
    value.bytes().fold(true, |all, byte| all & is_plain(byte))
}

impl Visit for TextVisitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let name = field.name();
        let is_special = name == "message" || name.starts_with("log.") || name.starts_with("r#");
        if !is_special && !self.writer.has_ansi_escapes() && is_plain(value) {
            self.add_plain(name, value);
        } else {
            self.by_default(field, |visitor| visitor.record_str(field, value));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.by_default(field, |visitor| visitor.record_error(field, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.by_default(field, |visitor| visitor.record_debug(field, value));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::format::DefaultFields;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a log in this form says of some lines and spans.
    fn logged<F>(fields: F, is_coloured: bool) -> String
    where
        F: for<'w> FormatFields<'w> + Send + Sync + 'static,
    {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt()
            .fmt_fields(fields)
            .with_ansi(is_coloured)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(log, || {
            let cause = io::Error::other("a \u{1b}[31mred\n cause");
            for value in
                ["", "plain", "two words", "\"quoted\"", "a\\b", "it's", "größe", "\u{1b}[31m", "a\nb"]
            {
                let span = tracing::info_span!(
                    "call",
                    method = value,
                    number = 7,
                    r#type = value,
                    later = tracing::field::Empty
                );
                span.record("later", value);
                span.in_scope(
                    || tracing::info!(value, error = &cause as &dyn Error, debug = ?value, "said {value}"),
                );
                tracing::info!(message = value, shown = %value, is = true);
            }
        });
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_are_those_of_the_default() {
        for is_coloured in [false, true] {
            let lines = logged(TextFields, is_coloured);
            assert_eq!(lines, logged(DefaultFields::new(), is_coloured));
            assert!(lines.contains("plain"), "{lines}");
        }
    }
}
