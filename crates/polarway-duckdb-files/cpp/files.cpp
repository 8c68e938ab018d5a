// A file system of DuckDB's whose files are read by Rust.
//
// Exceptions stay on this side: what Rust reports becomes one, and none leaves polarway_register_files.

#include "files.h"

#include "duckdb/common/exception.hpp"
#include "duckdb/common/file_opener.hpp"
#include "duckdb/common/file_system.hpp"
#include "duckdb/common/string_util.hpp"
#include "duckdb/main/capi/extension_api.hpp"
#include "duckdb/main/client_context.hpp"
#include "duckdb/main/connection.hpp"
#include "duckdb/main/database.hpp"

#include <cstring>

namespace {

using namespace duckdb;

// A message or a short text of the Rust side.
class Text {
public:
	Text() : text {bytes, sizeof(bytes), 0} {
	}
	polarway_text *Place() {
		return &text;
	}
	string ToString() const {
		return string(bytes, text.length);
	}

private:
	char bytes[2048];
	polarway_text text;
};

class RustFile final : public FileHandle {
public:
	RustFile(FileSystem &file_system, const string &path, FileOpenFlags flags, const polarway_files &functions,
	         void *file, weak_ptr<ClientContext> query)
	    : FileHandle(file_system, path, flags), functions(functions), file(file), query(std::move(query)) {
	}
	~RustFile() override {
		Close();
	}
	void Close() override {
		if (file) {
			functions.close(file);
			file = nullptr;
		}
	}

	// Reads exactly so much. It changes nothing of this object, so several threads may read at once.
	void ReadAt(void *into, idx_t length, idx_t location) const {
		Text message;
		auto status = functions.read(file, location, static_cast<uint8_t *>(into), length, IsInterrupted, &query,
		                             message.Place());
		if (status == POLARWAY_INTERRUPTED) {
			throw InterruptException();
		}
		if (status != POLARWAY_OK) {
			throw IOException("%s", message.ToString());
		}
	}

	const polarway_files &functions;
	void *file;
	// Of reads that continue where the last one ended.
	idx_t position = 0;

private:
	static bool IsInterrupted(const void *query) {
		auto context = static_cast<const weak_ptr<ClientContext> *>(query)->lock();
		return context && context->IsInterrupted();
	}

	weak_ptr<ClientContext> query;
};

class RustFileSystem final : public FileSystem {
public:
	RustFileSystem(string prefix, const polarway_files &functions, void *files)
	    : prefix(std::move(prefix)), functions(functions), files(files) {
	}
	~RustFileSystem() override {
		functions.release(files);
	}

	unique_ptr<FileHandle> OpenFile(const string &path, FileOpenFlags flags, optional_ptr<FileOpener> opener) override {
		if (flags.OpenForWriting() || flags.OpenForAppending() || !flags.OpenForReading()) {
			throw PermissionException("%s can only be read", path);
		}
		weak_ptr<ClientContext> query;
		if (auto context = FileOpener::TryGetClientContext(opener)) {
			query = context->shared_from_this();
		}
		Text message;
		auto file = Open(path, message);
		if (!file) {
			if (flags.ReturnNullIfNotExists()) {
				return nullptr;
			}
			throw IOException("%s", message.ToString());
		}
		return make_uniq<RustFile>(*this, path, flags, functions, file, std::move(query));
	}

	void Read(FileHandle &handle, void *buffer, int64_t length, idx_t location) override {
		static_cast<RustFile &>(handle).ReadAt(buffer, NumericCast<idx_t>(length), location);
	}
	int64_t Read(FileHandle &handle, void *buffer, int64_t length) override {
		auto &file = static_cast<RustFile &>(handle);
		auto bytes = functions.bytes(file.file);
		auto left = file.position < bytes ? bytes - file.position : 0;
		auto read = MinValue<idx_t>(NumericCast<idx_t>(length), left);
		if (read > 0) {
			file.ReadAt(buffer, read, file.position);
			file.position += read;
		}
		return NumericCast<int64_t>(read);
	}
	int64_t GetFileSize(FileHandle &handle) override {
		auto &file = static_cast<RustFile &>(handle);
		return NumericCast<int64_t>(functions.bytes(file.file));
	}
	// A path names one state of a file only, and the tag tells it from others.
	timestamp_t GetLastModifiedTime(FileHandle &) override {
		return timestamp_t(1);
	}
	string GetVersionTag(FileHandle &handle) override {
		auto &file = static_cast<RustFile &>(handle);
		Text version;
		functions.version(file.file, version.Place());
		return version.ToString();
	}
	FileType GetFileType(FileHandle &) override {
		return FileType::FILE_TYPE_REGULAR;
	}
	void Seek(FileHandle &handle, idx_t location) override {
		static_cast<RustFile &>(handle).position = location;
	}
	void Reset(FileHandle &handle) override {
		Seek(handle, 0);
	}
	idx_t SeekPosition(FileHandle &handle) override {
		return static_cast<RustFile &>(handle).position;
	}

	bool FileExists(const string &path, optional_ptr<FileOpener>) override {
		Text message;
		auto file = Open(path, message);
		if (file) {
			functions.close(file);
		}
		return file != nullptr;
	}
	bool DirectoryExists(const string &, optional_ptr<FileOpener>) override {
		return false;
	}
	// Paths are exact: nothing can be listed.
	vector<OpenFileInfo> Glob(const string &path, FileOpener *opener) override {
		vector<OpenFileInfo> found;
		if (FileExists(path, opener)) {
			found.emplace_back(path);
		}
		return found;
	}

	bool CanHandleFile(const string &path) override {
		return StringUtil::StartsWith(path, prefix);
	}
	bool CanSeek() override {
		return true;
	}
	// Each read costs a round trip, so readers ask for whole columns at once.
	bool OnDiskFile(FileHandle &) override {
		return false;
	}
	string GetName() const override {
		return "PolarwayFileSystem";
	}

private:
	// Null if there is no such file: then the message says so.
	void *Open(const string &path, Text &message) const {
		void *file = nullptr;
		auto status = functions.open(files, path.data(), path.size(), &file, message.Place());
		if (status == POLARWAY_OK) {
			return file;
		}
		if (status != POLARWAY_ABSENT) {
			throw IOException("%s", message.ToString());
		}
		return nullptr;
	}

	const string prefix;
	const polarway_files functions;
	void *files;
};

void Write(polarway_text &text, const char *said) {
	text.length = std::min(std::strlen(said), text.capacity);
	std::memcpy(text.bytes, said, text.length);
}

} // namespace

const char *polarway_compiled_duckdb_version(void) {
	return DUCKDB_EXTENSION_API_VERSION_STRING;
}

int32_t polarway_register_files(void *connection, const char *prefix, size_t prefix_length,
                                const polarway_files *functions, void *files, polarway_text *message) {
	try {
		// From here on `files` belongs to the file system.
		unique_ptr<FileSystem> file_system(new RustFileSystem(string(prefix, prefix_length), *functions, files));
		auto &database = *reinterpret_cast<Connection *>(connection)->context->db;
		database.GetFileSystem().RegisterSubSystem(std::move(file_system));
		return POLARWAY_OK;
	} catch (std::exception &error) {
		Write(*message, error.what());
	} catch (...) {
		Write(*message, "an unknown exception");
	}
	return POLARWAY_FAILED;
}
