#include "tests/support/fault_disk.h"

#include <algorithm>
#include <functional>

#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::storage {
namespace {

struct ParentAndName {
  std::string parent;
  std::string name;
};

ParentAndName Split(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {"", std::string(path)};
  return {std::string(path.substr(0, slash)), std::string(path.substr(slash + 1))};
}

void Apply(const EntryChange& change, Entries& entries) {
  if (!change.removed.empty()) entries.erase(change.removed);
  if (!change.added.empty()) entries[change.added] = change.node;
}

void Record(Node& directory, EntryChange change) {
  Apply(change, directory.entries);
  directory.changes.push_back(std::move(change));
}

uint64_t Below(std::mt19937_64& random, uint64_t bound) { return random() % bound; }

// Of `size_bytes` bytes that were never synced and begin at `offset`, how many survive.
size_t SurvivingBytes(size_t offset, size_t size_bytes, std::mt19937_64& random) {
  const size_t anywhere = Below(random, size_bytes + 1);
  const auto cut_at = [&](size_t sector) {
    const size_t end = (offset + anywhere) / sector * sector;
    return end <= offset ? 0 : end - offset;
  };
  switch (Below(random, 5)) {
    case 0:
      return 0;
    case 1:
      return size_bytes;
    case 2:
      return anywhere;
    case 3:
      return cut_at(512);
    default:
      return cut_at(4096);
  }
}

std::string SurvivorOf(const Node& file, std::mt19937_64& random) {
  if (file.durable_bytes.size() > file.untouched_bytes && Below(random, 2) == 0) {
    return file.durable_bytes;  // the truncation did not reach the disk, nor what came after it
  }
  const size_t begin = file.untouched_bytes;
  const size_t unsynced = file.bytes.size() - begin;
  if (unsynced == 0) return file.bytes;
  const size_t kept = SurvivingBytes(begin, unsynced, random);
  std::string survivor = file.bytes.substr(0, begin + kept);
  if (Below(random, 6) == 0) survivor.resize(begin + kept + Below(random, unsynced - kept + 1));
  return survivor;
}

Entries SurvivorsOf(const Node& directory, std::mt19937_64& random) {
  Entries entries = directory.durable_entries;
  const uint64_t mode = Below(random, 4);
  const size_t first_few = Below(random, directory.changes.size() + 1);
  for (size_t i = 0; i < directory.changes.size(); ++i) {
    const bool kept =
        mode == 1 || (mode == 2 && i < first_few) || (mode == 3 && Below(random, 2) == 0);
    if (kept) Apply(directory.changes[i], entries);
  }
  return entries;
}

void LosePowerBelow(Node& node, std::mt19937_64& random) {
  node.locked = false;
  if (!node.directory) {
    node.bytes = SurvivorOf(node, random);
    FaultDisk::SyncFile(node);
    return;
  }
  node.entries = SurvivorsOf(node, random);
  FaultDisk::SyncDirectory(node);
  for (auto& [name, child] : node.entries) LosePowerBelow(*child, random);
}

void ReleaseLocksBelow(Node& node) {
  node.locked = false;
  for (auto& [name, child] : node.entries) ReleaseLocksBelow(*child);
}

void CollectFiles(const Node& node, const std::string& path,
                  std::map<std::string, std::string>& files) {
  if (!node.directory) files[path] = node.bytes;
  for (const auto& [name, child] : node.entries) {
    CollectFiles(*child, text::StrCat(path, "/", name), files);
  }
}

}  // namespace

absl::StatusOr<NodePtr> FaultDisk::Find(std::string_view path) const {
  NodePtr node = root_;
  std::string_view rest = path;
  while (!rest.empty()) {
    const size_t slash = rest.find('/');
    const std::string name(rest.substr(0, slash));
    rest = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
    if (name.empty()) continue;
    const auto entry = node->entries.find(name);
    if (entry == node->entries.end()) {
      return absl::NotFoundError(text::StrCat(path, ": no such file or directory"));
    }
    node = entry->second;
  }
  return node;
}

absl::StatusOr<NodePtr> FaultDisk::FindFile(std::string_view path) const {
  TALLY_ASSIGN_OR_RETURN(NodePtr node, Find(path));
  if (node->directory) return absl::UnknownError(text::StrCat(path, " is a directory"));
  return node;
}

absl::StatusOr<NodePtr> FaultDisk::FindDirectory(std::string_view path) const {
  TALLY_ASSIGN_OR_RETURN(NodePtr node, Find(path));
  if (!node->directory) return absl::UnknownError(text::StrCat(path, " is not a directory"));
  return node;
}

absl::StatusOr<NodePtr> FaultDisk::Create(std::string_view path, bool directory) {
  const ParentAndName where = Split(path);
  TALLY_ASSIGN_OR_RETURN(const NodePtr parent, FindDirectory(where.parent));
  const auto entry = parent->entries.find(where.name);
  if (entry != parent->entries.end()) {
    if (directory && entry->second->directory) return entry->second;
    return absl::AlreadyExistsError(text::StrCat(path, " exists"));
  }
  NodePtr node = std::make_shared<Node>(directory);
  Record(*parent, {.removed = "", .added = where.name, .node = node});
  return node;
}

absl::Status FaultDisk::Rename(std::string_view from, std::string_view to) {
  const ParentAndName source = Split(from);
  const ParentAndName target = Split(to);
  TALLY_ASSIGN_OR_RETURN(const NodePtr node, Find(from));
  TALLY_ASSIGN_OR_RETURN(const NodePtr source_parent, FindDirectory(source.parent));
  TALLY_ASSIGN_OR_RETURN(const NodePtr target_parent, FindDirectory(target.parent));
  const auto old = target_parent->entries.find(target.name);
  if (old != target_parent->entries.end() &&
      (old->second->directory != node->directory || !old->second->entries.empty())) {
    return absl::UnknownError(text::StrCat("rename ", from, " to ", to, ": target is in the way"));
  }
  if (source_parent == target_parent) {
    Record(*source_parent, {.removed = source.name, .added = target.name, .node = node});
    return absl::OkStatus();
  }
  Record(*target_parent, {.removed = "", .added = target.name, .node = node});
  Record(*source_parent, {.removed = source.name, .added = "", .node = nullptr});
  return absl::OkStatus();
}

absl::Status FaultDisk::Remove(std::string_view path, bool directory) {
  const ParentAndName where = Split(path);
  TALLY_ASSIGN_OR_RETURN(const NodePtr node, directory ? FindDirectory(path) : FindFile(path));
  if (!node->entries.empty()) return absl::UnknownError(text::StrCat(path, " is not empty"));
  TALLY_ASSIGN_OR_RETURN(const NodePtr parent, FindDirectory(where.parent));
  Record(*parent, {.removed = where.name, .added = "", .node = nullptr});
  return absl::OkStatus();
}

void FaultDisk::Append(Node& file, std::string_view bytes) { file.bytes.append(bytes); }

void FaultDisk::Truncate(Node& file, size_t size_bytes) {
  file.bytes.resize(size_bytes);
  file.untouched_bytes = std::min(file.untouched_bytes, size_bytes);
}

void FaultDisk::SyncFile(Node& file) {
  file.durable_bytes = file.bytes;
  file.untouched_bytes = file.bytes.size();
}

void FaultDisk::SyncDirectory(Node& directory) {
  directory.durable_entries = directory.entries;
  directory.changes.clear();
}

void FaultDisk::LosePower(std::mt19937_64& random) { LosePowerBelow(*root_, random); }

void FaultDisk::ReleaseLocks() { ReleaseLocksBelow(*root_); }

std::map<std::string, std::string> FaultDisk::Files() const {
  std::map<std::string, std::string> files;
  CollectFiles(*root_, "", files);
  return files;
}

}  // namespace tally::storage
