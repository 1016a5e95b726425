#pragma once

// Small files that must survive a crash: a cluster's secret, a node's state. Blocking; for the time before a
// loop runs. Every error names the path, the reason and what to do.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace bt::nodes {

inline constexpr size_t kStateFileBytesMax = 4096;

// The whole file. kNotFound: there is none; kFailedPrecondition: it is not a regular file, or longer than
// kStateFileBytesMax.
absl::StatusOr<std::string> ReadStateFile(const std::string& path);

// Makes `bytes` the durable content of the open file, whatever it held. `path` is for the error.
absl::Status WriteStateFile(int descriptor, std::string_view bytes, const std::string& path);

// Creates a file that only this user can read, with `bytes`, durably. kAlreadyExists: it is left as it was.
// After any other error there is no such file.
absl::Status CreateSecretFile(const std::string& path, std::string_view bytes);

// Makes the creation, renaming and removal of files in `directory` durable.
absl::Status SyncDirectory(const std::string& directory);
// The directory that `path` is in.
std::string DirectoryOf(const std::string& path);

// "cannot VERB PATH: reason; what to do".
absl::Status FileError(const char* verb, const std::string& path, int error);

}  // namespace bt::nodes
