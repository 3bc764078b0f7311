// The tree of files and directories behind FaultFileSystem, with two contents each: what readers
// see now and what a power loss leaves. Not thread-safe; knows nothing of faults.

#ifndef TALLY_TESTS_SUPPORT_FAULT_DISK_H_
#define TALLY_TESTS_SUPPORT_FAULT_DISK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tally::storage {

struct Node;
using NodePtr = std::shared_ptr<Node>;
using Entries = std::map<std::string, NodePtr>;

// One change of a directory that its next sync makes durable. A rename inside one directory is one
// change with both names, because file systems keep it whole.
struct EntryChange {
  std::string removed;  // "" if none
  std::string added;    // "" if none
  NodePtr node;
};

struct Node {
  explicit Node(bool is_directory) : directory(is_directory) {}

  const bool directory;
  // Files.
  std::string bytes;
  std::string durable_bytes;
  size_t untouched_bytes = 0;  // a prefix that is the same in both
  bool locked = false;
  // Directories.
  Entries entries;
  Entries durable_entries;
  std::vector<EntryChange> changes;  // since the last sync
};

class FaultDisk {
 public:
  FaultDisk() : root_(std::make_shared<Node>(true)) {}

  absl::StatusOr<NodePtr> Find(std::string_view path) const;
  absl::StatusOr<NodePtr> FindFile(std::string_view path) const;
  absl::StatusOr<NodePtr> FindDirectory(std::string_view path) const;

  absl::StatusOr<NodePtr> Create(std::string_view path, bool directory);
  absl::Status Rename(std::string_view from, std::string_view to);
  absl::Status Remove(std::string_view path, bool directory);

  static void Append(Node& file, std::string_view bytes);
  static void Truncate(Node& file, size_t size_bytes);
  static void SyncFile(Node& file);
  static void SyncDirectory(Node& directory);

  // Every node becomes what survives of it, and all of that is durable.
  void LosePower(std::mt19937_64& random);
  void ReleaseLocks();

  std::map<std::string, std::string> Files() const;

 private:
  NodePtr root_;
};

}  // namespace tally::storage

#endif  // TALLY_TESTS_SUPPORT_FAULT_DISK_H_
