// What the C++ and the Rust side of the file system call of each other. src/interface.rs has the same declarations.
//
// Nothing is thrown across: a function that fails writes its message into a buffer of the caller.

#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

// How a call ended.
enum polarway_status : int32_t {
	POLARWAY_OK = 0,
	// The message says why.
	POLARWAY_FAILED = 1,
	// There is no such file.
	POLARWAY_ABSENT = 2,
	// The query was interrupted while the call waited.
	POLARWAY_INTERRUPTED = 3,
};

// A place for text, which is cut off if it is longer. It does not end in NUL.
struct polarway_text {
	char *bytes;
	size_t capacity;
	size_t length;
};

// Tells whether the query that reads was interrupted. It may be called from the thread that reads only.
typedef bool (*polarway_is_interrupted)(const void *query);

// The Rust side. `files` is what polarway_register_files was given, `file` is what `open` returned. All functions may be called
// by several threads at once.
struct polarway_files {
	int32_t (*open)(void *files, const char *path, size_t path_length, void **file, polarway_text *message);
	uint64_t (*bytes)(const void *file);
	// Writes what differs between two states of a file.
	void (*version)(const void *file, polarway_text *version);
	int32_t (*read)(const void *file, uint64_t offset, uint8_t *into, size_t length, polarway_is_interrupted is_interrupted,
	                const void *query, polarway_text *message);
	void (*close)(void *file);
	// Releases `files`. Nothing is called afterwards.
	void (*release)(void *files);
};

// The version of DuckDB whose headers this was compiled with, such as `v1.5.6`.
const char *polarway_compiled_duckdb_version(void);

// Registers a file system for all paths that begin with `prefix` in the database of this connection, a `duckdb_connection`. It
// takes `files` over, also if it fails.
int32_t polarway_register_files(void *connection, const char *prefix, size_t prefix_length,
                                const polarway_files *functions, void *files, polarway_text *message);
}
