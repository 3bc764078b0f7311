#include "daemon/storage/model_directory.h"

#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/storage/checkpoint_store.h"

namespace tally::storage {
namespace {

constexpr std::string_view kUnfinished = ".new-";
constexpr std::string_view kDeleted = ".trash-";
constexpr size_t kNameBytesMax = 63;

std::string ModelsPath(std::string_view state_dir) { return text::StrCat(state_dir, "/models"); }

std::string PathIn(std::string_view directory, std::string_view prefix, std::string_view name) {
  return text::StrCat(directory, "/", prefix, name);
}

bool StartsWith(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

// [a-z0-9][a-z0-9._-]{0,62}; anything else in the directory ("lost+found") is not ours.
bool IsModelName(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    const bool punctuation = c == '.' || c == '_' || c == '-';
    if (!letter_or_digit && !(punctuation && i > 0)) return false;
  }
  return true;
}

absl::StatusOr<bool> Exists(FileSystem& fs, const std::string& path) {
  const absl::Status status = fs.IsDirectory(path).status();
  if (absl::IsNotFound(status)) return false;
  if (!status.ok()) return status;
  return true;
}

// Removes a file, a symbolic link (never what it points to) or a whole directory.
absl::Status RemoveTree(FileSystem& fs, const std::string& path) {
  const absl::Status unlinked = fs.RemoveFile(path);
  if (unlinked.ok() || absl::IsNotFound(unlinked)) return absl::OkStatus();
  if (!fs.IsDirectory(path).value_or(false)) return unlinked;
  TALLY_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.ListDirectory(path));
  for (const std::string& name : names) TALLY_RETURN_IF_ERROR(RemoveTree(fs, path + "/" + name));
  return fs.RemoveDirectory(path);
}

// Makes a directory if it is missing, so that it stays.
absl::Status MakeDirectory(FileSystem& fs, const std::string& parent, const std::string& path) {
  TALLY_ASSIGN_OR_RETURN(const bool exists, Exists(fs, path));
  if (exists) return absl::OkStatus();
  TALLY_RETURN_IF_ERROR(fs.CreateDirectory(path));
  return fs.SyncDirectory(parent);
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status BuildModelDirectory(FileSystem& fs, const std::string& path,
                                 std::string_view checkpoint) {
  TALLY_RETURN_IF_ERROR(fs.CreateDirectory(path));
  TALLY_RETURN_IF_ERROR(fs.CreateDirectory(path + "/journal"));
  TALLY_RETURN_IF_ERROR(fs.CreateDirectory(path + "/checkpoints"));
  TALLY_RETURN_IF_ERROR(CheckpointStore(fs, path + "/checkpoints").Write(0, checkpoint));
  TALLY_RETURN_IF_ERROR(fs.SyncDirectory(path + "/journal"));
  return fs.SyncDirectory(path);
}

}  // namespace

std::string ModelPath(std::string_view state_dir, std::string_view name) {
  return PathIn(ModelsPath(state_dir), "", name);
}
std::string JournalPath(std::string_view state_dir, std::string_view name) {
  return ModelPath(state_dir, name) + "/journal";
}
std::string CheckpointsPath(std::string_view state_dir, std::string_view name) {
  return ModelPath(state_dir, name) + "/checkpoints";
}

absl::StatusOr<std::vector<std::string>> OpenStateDirectory(FileSystem& fs,
                                                            const std::string& state_dir) {
  const std::string models = ModelsPath(state_dir);
  TALLY_RETURN_IF_ERROR(MakeDirectory(fs, ParentOf(state_dir), state_dir));
  TALLY_RETURN_IF_ERROR(fs.CreateDirectory(models));
  TALLY_RETURN_IF_ERROR(fs.SyncDirectory(state_dir));
  TALLY_ASSIGN_OR_RETURN(const std::vector<std::string> entries, fs.ListDirectory(models));
  std::vector<std::string> names;
  for (const std::string& entry : entries) {
    const std::string path = PathIn(models, "", entry);
    if (StartsWith(entry, kUnfinished) || StartsWith(entry, kDeleted)) {
      TALLY_RETURN_IF_ERROR(RemoveTree(fs, path));
    } else if (IsModelName(entry)) {
      TALLY_ASSIGN_OR_RETURN(const bool is_directory, fs.IsDirectory(path));
      if (is_directory) names.push_back(entry);
    }
  }
  // Covers too what a process that was killed may have renamed without a sync.
  TALLY_RETURN_IF_ERROR(fs.SyncDirectory(models));
  return names;
}

absl::Status CreateModelDirectory(FileSystem& fs, const std::string& state_dir,
                                  const std::string& name, std::string_view checkpoint) {
  const std::string models = ModelsPath(state_dir);
  const std::string path = ModelPath(state_dir, name);
  TALLY_ASSIGN_OR_RETURN(const bool taken, Exists(fs, path));
  if (taken) return absl::AlreadyExistsError(text::StrCat("model \"", name, "\" exists: ", path));
  const std::string unfinished = PathIn(models, kUnfinished, name);
  TALLY_RETURN_IF_ERROR(RemoveTree(fs, unfinished));
  absl::Status status = BuildModelDirectory(fs, unfinished, checkpoint);
  if (status.ok()) status = fs.Rename(unfinished, path);
  if (!status.ok()) {
    // Gives the space back at once; if that fails too, the next start does it.
    RemoveTree(fs, unfinished).IgnoreError();
    return status;
  }
  return fs.SyncDirectory(models);
}

absl::Status RemoveModelDirectory(FileSystem& fs, const std::string& state_dir,
                                  const std::string& name) {
  const std::string models = ModelsPath(state_dir);
  const std::string path = ModelPath(state_dir, name);
  TALLY_ASSIGN_OR_RETURN(const bool exists, Exists(fs, path));
  if (!exists) return absl::NotFoundError(text::StrCat("model \"", name, "\": no ", path));
  const std::string trash = PathIn(models, kDeleted, name);
  TALLY_RETURN_IF_ERROR(RemoveTree(fs, trash));
  TALLY_RETURN_IF_ERROR(fs.Rename(path, trash));
  TALLY_RETURN_IF_ERROR(fs.SyncDirectory(models));
  return RemoveTree(fs, trash);
}

}  // namespace tally::storage
